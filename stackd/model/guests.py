"""What a hypervisor driver takes and shows: the guest's specification and a look at it."""

from attrs import frozen

from stackd.model.images import ImageSnapshot
from stackd.model.instances import GuestState


@frozen(kw_only=True)
class GuestNic:
    """One interface of a guest: the driver makes the tap on start and joins it to the bridge."""

    port_id: str
    mac: str
    tap: str
    bridge: str
    mtu: int


@frozen(kw_only=True)
class GuestSpec:
    """Everything a driver needs to make one guest. Memory in MiB, disk in GiB (0: the image's own size).

    ``reboots`` is written into the guest's metadata when it starts: a start satisfies all reboots asked before.
    ``epoch`` is the placement epoch; it is kept in the metadata too.
    """

    id: str
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: ImageSnapshot
    nics: tuple[GuestNic, ...] = ()
    reboots: int = 0
    epoch: int = 0


@frozen(kw_only=True)
class Guest:
    """One look at a guest.

    ``prepared`` tells whether its disks are all there. ``reboots`` and ``epoch`` come from its metadata.
    ``shutdown_at`` is when we last asked it to shut down (epoch seconds), None when we did not since it
    started; ``shutdown_generation`` is the generation that asked for it, None when no shutdown but a cut was
    marked (or a release that did not tell marked it). Both are kept in the guest's metadata, so they survive the
    worker.
    """

    id: str
    state: GuestState
    prepared: bool = False
    reboots: int = 0
    epoch: int = 0
    shutdown_at: float | None = None
    shutdown_generation: int | None = None
