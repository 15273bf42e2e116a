"""Instances: what the user desires, what the host observed, and the request that makes them."""

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from stackd.model.faults import Fault, Phase
from stackd.model.flavors import Flavor
from stackd.model.images import ImageSnapshot
from stackd.model.networks import Port


class InstanceDesired(Enum):
    """What the user wants an instance to be."""

    RUNNING = "running"
    STOPPED = "stopped"
    DELETED = "deleted"


class GuestState(Enum):
    """What a look at the hypervisor shows."""

    UNKNOWN = "unknown"
    """Nobody has looked yet."""
    ABSENT = "absent"
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    CRASHED = "crashed"


class RebootKind(Enum):
    """How the last reboot was asked for."""

    SOFT = "soft"
    HARD = "hard"


class OnLaunchFault(Enum):
    """What a launch that faults before it ever ran becomes."""

    KEEP = "keep"
    """It stays, in error, until deleted (OpenStack)."""
    TERMINATE = "terminate"
    """It is deleted and shows why (EC2)."""


@frozen(kw_only=True)
class ObservedInstance:
    """The owner's last report: ``generation`` is the one reached, ``reboots`` the counter reached."""

    state: GuestState = GuestState.UNKNOWN
    generation: int = 0
    reboots: int = 0
    at: float = 0.0


@frozen(kw_only=True)
class Instance:
    """One virtual machine. Times in epoch seconds.

    ``zone_wanted`` is empty when any zone will do; ``zone`` and ``host`` are empty until placed.
    ``reboots`` is the absolute number of reboots desired, ``reboot_kind`` how the last was asked.
    ``launched_at`` is when it was first observed RUNNING; ``ended_at`` when it was first observed ABSENT
    after DELETED was desired. ``phase`` is stored beside the row for filters and never decides anything.
    """

    id: str
    project_id: str
    user_id: str
    name: str
    hostname: str
    reservation_id: str
    launch_index: int
    flavor: Flavor
    image: ImageSnapshot
    key_name: str = ""
    public_key: str = ""
    metadata: Mapping[str, str] = field(factory=dict)
    has_user_data: bool = False
    config_drive: bool = False
    zone_wanted: str = ""
    zone: str = ""
    host: str = ""
    placement_epoch: int = 0
    desired: InstanceDesired = InstanceDesired.RUNNING
    generation: int = 1
    reboots: int = 0
    reboot_kind: RebootKind = RebootKind.SOFT
    on_launch_fault: OnLaunchFault = OnLaunchFault.KEEP
    observed: ObservedInstance = ObservedInstance()
    fault: Fault | None = None
    phase: Phase | None = None
    locked: bool = False
    lock_reason: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()
    """Words to find it by; OpenStack calls them tags. EC2's tags are ``metadata``."""
    access_ipv4: str = ""
    """An address that its user wants to be shown; likewise ``access_ipv6``."""
    access_ipv6: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    launched_at: float | None = None
    ended_at: float | None = None
    request_id: str = ""
    """Of the request that made the present generation."""


@frozen(kw_only=True)
class InstanceView:
    """An instance with everything a view shows beside it; one store query makes it."""

    instance: Instance
    ports: tuple[Port, ...] = ()
    """In the order of their device index; each with its addresses, floating addresses and group names."""
    reason: str = ""
    """Why it ended or stopped, for EC2's StateReason; empty when nothing is to be said."""


@frozen(kw_only=True)
class NetworkRequest:
    """One interface asked for: an existing port, or a network (and subnet) with an optional fixed address."""

    network_id: str | None = None
    subnet_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    group_ids: tuple[str, ...] | None = None
    """Groups for this interface; None for those of the launch."""


@frozen(kw_only=True)
class LaunchRequest:
    """Both APIs' launch in neutral words.

    ``networks`` None means automatic: the project's default network; an empty tuple means none.
    ``group_ids`` (ids or names) None means the project's ``default`` group. ``user_data`` is at most 16 KiB of raw
    bytes (48 KiB of base64 for OpenStack). ``min_count`` rows are claimed together or not at all.
    """

    image_id: str
    flavor_id: str
    name: str = ""
    min_count: int = 1
    max_count: int = 1
    networks: tuple[NetworkRequest, ...] | None = None
    group_ids: tuple[str, ...] | None = None
    key_name: str | None = None
    user_data: bytes | None = None
    metadata: Mapping[str, str] = field(factory=dict)
    zone: str = ""
    host: str = ""
    """Force a host; admins only."""
    config_drive: bool = False
    description: str = ""
    labels: tuple[str, ...] = ()
    access_ipv4: str = ""
    access_ipv6: str = ""
    on_launch_fault: OnLaunchFault = OnLaunchFault.KEEP
    client_token: str | None = None
    request_hash: str = ""
    """Of the request's parameters; compared when the client token came before."""
    dry_run: bool = False


@frozen(kw_only=True)
class Reservation:
    """What one launch made."""

    id: str
    project_id: str
    instances: tuple[InstanceView, ...]


@frozen(kw_only=True)
class InstanceQuery:
    """Which instances to list; None means no condition. Values inside a field are alternatives.

    ``ended_since`` includes ended instances that ended after that time (epoch seconds; EC2 shows an hour);
    None leaves ended instances out. ``all_projects`` is for admins. ``changed_since`` and ``changed_before`` are
    epoch seconds. Of the ``labels`` all must be there, of ``labels_any`` one; with ``not`` it is the contrary.
    """

    ids: tuple[str, ...] | None = None
    reservation_ids: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    name_pattern: str | None = None
    """A substring the name must hold."""
    steady: tuple[str, ...] | None = None
    """Values of ``faults.Steady``."""
    phases: tuple[tuple[str, str], ...] | None = None
    """Values of ``faults.Steady`` and ``faults.Transition``."""
    name_like: str | None = None
    """SQL's LIKE, with a backslash before letters that mean themselves."""
    reservation_within: tuple[str, str] | None = None
    zone: str | None = None
    """Where it is, or where it is wanted while it is nowhere."""
    key_name: str | None = None
    user_id: str | None = None
    locked: bool | None = None
    labels: tuple[str, ...] | None = None
    labels_any: tuple[str, ...] | None = None
    labels_not: tuple[str, ...] | None = None
    labels_not_any: tuple[str, ...] | None = None
    host: str | None = None
    flavor_id: str | None = None
    image_id: str | None = None
    project_id: str | None = None
    all_projects: bool = False
    changed_since: float | None = None
    changed_before: float | None = None
    ended_since: float | None = None


@frozen(kw_only=True)
class StateChange:
    """An instance before and after an action that changed its desired state (EC2 shows both)."""

    before: Phase
    after: InstanceView
