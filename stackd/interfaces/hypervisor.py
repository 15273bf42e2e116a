"""What a hypervisor driver offers; drivers are named in the entry point group ``stackd.hypervisors``.

Every verb is level-style and idempotent, takes the caller's id, and raises only ``errors.DriverFailure``
leaves and ``errors.NotSupported``. Unknown ids are not errors: a look shows ABSENT, an undoing verb succeeds.
The compute worker calls it; ``stackd/testing/contracts/hypervisor.py`` is the suite every driver passes.
"""

from zope.interface import Interface

from stackd.model.guests import Guest, GuestSpec
from stackd.model.hosts import HostCapacity


class IHypervisor(Interface):
    """The guests of one host."""

    async def capacity() -> HostCapacity:
        """What this host can carry."""

    async def guests() -> tuple[Guest, ...]:
        """A look at every guest of ours on this host, also ones only prepared; foreign domains are not shown."""

    async def look(id: str) -> Guest:
        """A look at one guest; ABSENT (and not prepared) when there is nothing of it."""

    async def prepare(spec: GuestSpec) -> None:
        """Fetch the image where it is not cached and make the guest's disks; leaves existing disks alone.

        Raises ``ImageVanished`` when the bytes are gone or do not match, ``PermanentFailure`` when the image is
        not what its format says or refers to other files, ``TransientFailure`` for all that may pass.
        """

    async def start(spec: GuestSpec) -> None:
        """Ensure the guest is defined as ``spec`` says and runs; records ``spec.reboots``, forgets shutdown marks.

        The guest must be prepared. Of a guest that runs already only shutdown marks are forgotten; a paused one
        goes on.
        """

    async def shutdown(id: str, now: float, generation: int) -> None:
        """Ask the guest to shut down (ACPI); returns at once.

        First it is marked that we asked, at ``now`` (epoch seconds) and for this ``generation`` of the instance.
        """

    async def destroy(id: str) -> None:
        """Cut the guest's power, after marking that it was us; STOPPED when it returns."""

    async def remove(id: str) -> None:
        """Cut the power and remove the guest with its disks and logs; ABSENT when it returns."""

    async def console_output(id: str, length: int) -> bytes:
        """The last ``length`` bytes of the serial console, kept after the guest stopped; empty when there are none."""

    async def close() -> None:
        """Let go of connections and threads; guests run on."""


class IPausing(Interface):
    """An optional ability, asked for with ``providedBy``."""

    async def pause(id: str) -> None:
        """Ensure the guest is PAUSED."""

    async def unpause(id: str) -> None:
        """Ensure a paused guest is RUNNING."""
