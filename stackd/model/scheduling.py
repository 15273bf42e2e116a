"""What a scheduler algorithm takes and answers."""

from collections.abc import Mapping

from attrs import field, frozen

from stackd.model.hosts import Host


@frozen(kw_only=True)
class PlacementRequest:
    """One shape of instance that needs a host; memory in MiB, disk in GiB; empty zone or host: any."""

    vcpus: int
    memory_mib: int
    disk_gib: int
    zone: str = ""
    host: str = ""
    project_id: str = ""
    image_properties: Mapping[str, str] = field(factory=dict)
    extra_specs: Mapping[str, str] = field(factory=dict)
    physical_networks: tuple[str, ...] = ()
    """Those its ports are on, in order."""


@frozen(kw_only=True)
class Refusal:
    """Why one host was refused: the filter's name, words, and how near it came (0 far to 1 nearly)."""

    host: str
    filter: str
    reason: str
    nearness: float = 0.0


@frozen(kw_only=True)
class Ranking:
    """Hosts that fit, best first, and a refusal for each that does not."""

    hosts: tuple[Host, ...] = ()
    refusals: tuple[Refusal, ...] = ()
