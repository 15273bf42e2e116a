"""What of a site is there whether or not it runs: its folder, its servers, its addresses, its names and its secrets.

``Site`` brings it to life; everything here is found again from the folder alone.
"""

import secrets
import tempfile
from functools import cached_property
from pathlib import Path

import orjson

from stackd.config.loading import load_file
from stackd.daemons.hosts import host_names
from stackd.daemons.secretfiles import kept
from stackd.testing.broker import RabbitMq
from stackd.testing.lab.credentials import Credentials, read_credentials
from stackd.testing.lab.ground import LOCAL, Namespaces, OneMachine
from stackd.testing.lab.options import FAKE, LISTENING, SiteOptions, keep, kept_options, kind_of
from stackd.testing.ports import free_base
from stackd.testing.servers import SERVERS, MariaDB, PostgreSQL

DATABASE = "stackd"
PORT_BASE = 8773


class Premises:
    """The site of a folder."""

    def __init__(self, folder: Path, options: SiteOptions | None = None) -> None:
        """The site of this folder with the options it was made with; or a new one, of which nothing is there yet."""
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.options = kept_options(self.folder) or keep(options or SiteOptions(), self.folder)
        self.names = self.options.names()
        self.ground = OneMachine() if self.options.drivers == FAKE else Namespaces(
            self.folder, self.options.name, self.options.hosts)

    # --- what it stands on -------------------------------------------------------------------------

    @cached_property
    def broker(self) -> RabbitMq:
        """Its broker."""
        addresses = dict.fromkeys([self.ground.address, self.ground.inner])
        return RabbitMq(self.folder / "broker", list(addresses), self.ground.namespace, self.options.broker_memory_mib)

    @cached_property
    def server(self) -> PostgreSQL | MariaDB:
        """Its database server; in a folder elsewhere, because its user may not be able to enter ours."""
        link = self.folder / "database"
        if not link.exists():
            link.unlink(missing_ok=True)  # its folder went with a restart of the machine
            link.symlink_to(tempfile.mkdtemp(prefix="stackd-db-"))
        return SERVERS[self.options.database](folder=link.resolve(), addresses=[self.ground.address],
                                              namespace=self.ground.namespace)

    @property
    def database_url(self) -> str:
        """Where all is kept."""
        return self.server.url_of(DATABASE)

    # --- where it is ---------------------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """Where the OpenStack APIs are; of the first of several processes."""
        return self.api_urls[0]

    @property
    def api_urls(self) -> list[str]:
        """Of each."""
        return [self.url(name, 1) for name in self.names if kind_of(name) == "api"]

    @property
    def ec2_url(self) -> str:
        """Where the EC2 API is."""
        return self.url("api-1", 0)

    @property
    def image_url(self) -> str:
        """Where the image service is."""
        return self.url("image-1", 1) + "/image"

    def monitor_url(self, name: str) -> str:
        """Where ``/healthz`` and ``/metrics`` of a daemon are; of a host's only inside its namespace, if it has one."""
        listens = kind_of(name) in LISTENING
        return self.url(name, 1 if listens else 0, "" if "@" not in name else LOCAL)

    @property
    def credentials(self) -> Credentials:
        """The user ``demo``."""
        return read_credentials(self.folder, f"{self.api_url}/identity/v3", "demo")

    @property
    def admin(self) -> Credentials:
        """The administrator."""
        return read_credentials(self.folder, f"{self.api_url}/identity/v3", "admin")

    @property
    def hosts(self) -> list[str]:
        """The names of all hosts."""
        return [name for pool in self.options.pools() for name in host_names(load_file(self.config(f"compute@{pool}")))]

    def config(self, name: str) -> Path:
        """The configuration of a daemon."""
        return self.folder / "conf" / f"{name}.toml"

    def log(self, name: str) -> Path:
        """What a daemon says, a JSON object a line."""
        return self.folder / "log" / f"{name}.log"

    def secret(self, name: str) -> str:
        """A password of this name, made once."""
        return kept(self.folder / "secrets" / name, lambda: secrets.token_urlsafe(18)).strip()

    def url(self, name: str, offset: int, address: str = "") -> str:
        """Where a daemon listens, so many ports above its first."""
        return f"http://{address or self.ground.address}:{self.bases[name] + offset}"

    @cached_property
    def bases(self) -> dict[str, int]:
        """The first of the three ports of each daemon; whether it has an API or not, it has health and metrics."""
        path = self.folder / "ports.json"
        if not path.exists():
            # In namespaces of their own all ports are free.
            path.write_bytes(orjson.dumps({name: PORT_BASE + 10 * index if self.ground.namespace else free_base()
                                           for index, name in enumerate(sorted(self.names))}))
        found: dict[str, int] = orjson.loads(path.read_bytes())
        return found
