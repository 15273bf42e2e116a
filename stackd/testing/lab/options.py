"""What a site is made of, and the names that follow from it."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from attrs import asdict, evolve, field, frozen

FILE = "site.json"
LISTENING = ("api", "image")
"""Daemons with an API, beside which health and metrics are."""
FAKE, REAL = "fake", "real"
Settings = Mapping[str, Mapping[str, Any]]
"""Keys of the configuration by section, which win over what the site would write."""


@frozen(kw_only=True)
class SiteOptions:
    """How many there are of what.

    ``hosts`` is how many there are in all; with ``hosts_per_process`` above 1 (fake drivers only) each pair of
    processes plays a pool of so many. ``name`` begins the names of all namespaces of a site with real drivers; one is
    made up.
    """

    database: str = "postgresql"
    hosts: int = 3
    drivers: str = FAKE
    schedulers: int = 1
    conductors: int = 1
    registries: int = 1
    images: int = 1
    apis: int = 1
    api_workers: int = 1
    hosts_per_process: int = 1
    broker_memory_mib: int = 512
    name: str = ""
    settings: Settings = field(factory=dict)

    def pools(self) -> dict[str, int]:
        """How many hosts each pair of host processes plays, by its name."""
        most = self.hosts_per_process
        if most == 1:
            return {f"host-{number}": 1 for number in range(1, self.hosts + 1)}
        counts = [min(most, self.hosts - first) for first in range(0, self.hosts, most)]
        return {f"pool-{number}": count for number, count in enumerate(counts, 1)}

    def controllers(self) -> tuple[str, ...]:
        """The names of the daemons of the control plane."""
        counts = {"conductor": self.conductors, "scheduler": self.schedulers, "registry": self.registries,
                  "image": self.images, "api": self.apis}
        return tuple(f"{kind}-{number}" for kind, count in counts.items() for number in range(1, count + 1))

    def names(self) -> tuple[str, ...]:
        """The names of all daemons."""
        return (*self.controllers(), *(f"{kind}@{pool}" for pool in self.pools() for kind in ("compute", "network")))


def kind_of(name: str) -> str:
    """Which daemon it is: ``api`` of ``api-1``, ``compute`` of ``compute@host-1``."""
    return name.partition("@")[0] if "@" in name else name.rpartition("-")[0]


def kept_options(folder: Path) -> SiteOptions | None:
    """The options a folder's site was made with; None where there is no site."""
    path = folder / FILE
    return SiteOptions(**orjson.loads(path.read_bytes())) if path.exists() else None


def keep(options: SiteOptions, folder: Path) -> SiteOptions:
    """Keep these options of a new site, with a name of its own."""
    path = folder / FILE
    kept = options if options.name else evolve(options, name="lab" + sha256(bytes(path)).hexdigest()[:4])
    path.write_bytes(orjson.dumps(asdict(kept)))
    return kept
