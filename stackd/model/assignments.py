"""What travels between a host and the cloud: assignments down, reports up."""

from attrs import field, frozen

from stackd.model.faults import Fault
from stackd.model.hosts import HostCapacity
from stackd.model.instances import Instance, ObservedInstance
from stackd.model.networks import Port, WiringState
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, PortWiring


@frozen(kw_only=True)
class Hello:
    """A worker's first words: who it is and what its host can carry (compute workers only).

    ``tunnel_address`` (network workers only) is where other hosts send the packets of tenant networks; empty means
    that networks end at this host. ``physical_networks`` (likewise) are the names of those the host is on.
    """

    host: str
    worker: str
    """``compute`` or ``network``."""
    zone: str = ""
    capacity: HostCapacity | None = None
    tunnel_address: str = ""
    physical_networks: tuple[str, ...] = ()


@frozen(kw_only=True)
class Version:
    """Where a worker's knowledge stands: (incarnation of the cloud, number of the host's last stamp).

    ``within`` is the last row known of the stamp after that, where a page ended inside one; else empty.
    """

    incarnation: str = ""
    number: int = 0
    within: str = ""


MOST_ROWS = 500
"""Rows of one page."""


@frozen(kw_only=True)
class FetchRequest:
    """A worker asks for what changed above ``known``; ``known`` of another incarnation means everything.

    ``held`` are the ids of guests (or wired ports) the host really has; sent at first contact and at resync,
    None otherwise. At most ``most`` rows are to come at once, but for the rest of the last row's stamp where the worker
    does not tell, by ``splits``, that it understands ``Version.within``, as those of earlier releases do not.
    """

    host: str
    worker: str
    session: int
    known: Version = Version()
    held: tuple[str, ...] | None = None
    most: int = MOST_ROWS
    splits: bool = False


@frozen(kw_only=True)
class InstanceAssignment:
    """An instance of this host with its ports, for the compute worker."""

    instance: Instance
    ports: tuple[Port, ...] = ()
    mtus: dict[str, int] = field(factory=dict)
    """Network id -> MTU."""


@frozen(kw_only=True)
class PortAssignment:
    """A port of this host for the network worker; ``wiring`` is None when it is to be removed."""

    id: str
    generation: int
    wiring: PortWiring | None
    network: NetworkWiring | None = None


@frozen(kw_only=True)
class FloatingAssignment:
    """A floating address of this host; ``wiring`` is None when this host is to withdraw it."""

    id: str
    generation: int
    wiring: FloatingWiring | None


@frozen(kw_only=True)
class Assignments:
    """One page of the answer; ``more`` asks the worker to fetch again from ``version``.

    ``full`` tells that what the worker knew before is to be forgotten first. ``moved`` are held ids that belong
    to another host now (id -> epoch there), to be destroyed; ``unknown`` are held ids the cloud has never heard
    of, to be kept and shown to the operator. ``ended`` are ids that need no more care.
    """

    version: Version
    full: bool = False
    more: bool = False
    instances: tuple[InstanceAssignment, ...] = ()
    ports: tuple[PortAssignment, ...] = ()
    floating_ips: tuple[FloatingAssignment, ...] = ()
    groups: tuple[GroupWiring, ...] = ()
    moved: dict[str, int] = field(factory=dict)
    unknown: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows this page has."""
        return len(self.instances) + len(self.ports) + len(self.floating_ips) + len(self.groups)


@frozen(kw_only=True)
class InstanceReport:
    """What compute observed of one instance; ``fault`` belongs to ``observed.generation``.

    ``powered_off_itself`` is set when the guest stopped without our asking.
    """

    id: str
    epoch: int
    observed: ObservedInstance
    fault: Fault | None = None
    powered_off_itself: bool = False


@frozen(kw_only=True)
class PortReport:
    """What the network worker observed of one port."""

    id: str
    observed: WiringState
    generation: int
    fault: Fault | None = None


@frozen(kw_only=True)
class FloatingReport:
    """What the network worker observed of one floating address."""

    id: str
    observed: WiringState
    generation: int


@frozen(kw_only=True)
class Report:
    """A batch of observations of one worker; (session, counter) orders them, older ones are dropped per row."""

    host: str
    worker: str
    session: int
    counter: int
    instances: tuple[InstanceReport, ...] = ()
    ports: tuple[PortReport, ...] = ()
    floating_ips: tuple[FloatingReport, ...] = ()
