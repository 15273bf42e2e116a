"""The fake hypervisor: guests in memory, at once and deterministic, on a clock handed in.

A :class:`FakeWorld` is the host as it really is; a :class:`FakeHypervisor` is only a driver of it. Throwing the
driver away and making another over the same world is what a restart of the compute worker looks like. It passes
the contract suite of every hypervisor and may stand in anywhere: in the embedded cloud, in tests, in benchmarks.

Given a folder, the world is kept in a file there and outlives the process, so that a worker may really be killed.
"""

from pathlib import Path

from attrs import evolve, field, frozen, mutable
from twisted.internet.defer import DeferredLock
from zope.interface import implementer

from stackd.drivers.hypervisors.images import checked_blocks, files_of
from stackd.drivers.worldfile import WorldFile
from stackd.errors import TransientFailure
from stackd.interfaces.clock import Clock
from stackd.interfaces.hypervisor import IHypervisor, IPausing
from stackd.interfaces.images import IImages
from stackd.model import wire
from stackd.model.guests import Guest, GuestSpec
from stackd.model.hosts import HostCapacity
from stackd.model.images import ImageFile
from stackd.model.instances import GuestState

CAPACITY = HostCapacity(vcpus=64, memory_mib=256 * 1024, disk_gib=2048)
FILE = "guests.json"
_UP = (GuestState.RUNNING, GuestState.PAUSED)


@frozen(kw_only=True)
class FakeOptions:
    """How the fake host behaves; ``shutdown_seconds`` None makes guests deaf to ACPI."""

    capacity: HostCapacity = CAPACITY
    shutdown_seconds: float | None = 0.0


@mutable
class FakeWorld:
    """One host as it really is: its guests, their consoles and the images it has; outlives every driver."""

    clock: Clock
    options: FakeOptions = FakeOptions()
    guests: dict[str, Guest] = field(factory=dict)
    consoles: dict[str, bytearray] = field(factory=dict)
    images: set[str] = field(factory=set)
    """Ids of the image files fetched."""
    file: WorldFile | None = None
    """Where the world is kept beyond the process, if anywhere."""

    def recall(self) -> None:
        """See what others did to a world that is kept in a file."""
        kept = self.file.read() if self.file else None
        if kept is not None:
            self.guests = {one["id"]: wire.load(Guest, one) for one in kept["guests"]}
            self.consoles = {id: bytearray(text.encode()) for id, text in kept["consoles"].items()}
            self.images = set(kept["images"])

    def keep(self) -> None:
        """Let the world outlive the process, where it is kept in a file."""
        if self.file is not None:
            self.file.write({"guests": wire.dump(list(self.guests.values())), "images": sorted(self.images),
                             "consoles": {id: text.decode() for id, text in self.consoles.items()}})

    def look(self, id: str) -> Guest:
        """The guest, or one that is not there."""
        return self.guests.get(id) or Guest(id=id, state=GuestState.ABSENT)

    def put(self, guest: Guest) -> None:
        """From now on the guest is so."""
        self.guests[guest.id] = guest
        self.keep()

    def drop(self, id: str) -> None:
        """Nothing of the guest is left."""
        self.consoles.pop(id, None)
        if self.guests.pop(id, None) is not None:
            self.keep()

    def boot(self, spec: GuestSpec) -> None:
        """The guest comes up and says so on its console."""
        self.consoles.setdefault(spec.id, bytearray()).extend(
            f"tiny: init\ntiny: name={spec.name}\ntiny: instance-id={spec.id}\ntiny: ready\n".encode())
        self.put(Guest(id=spec.id, state=GuestState.RUNNING, prepared=True, reboots=spec.reboots, epoch=spec.epoch))

    def stop(self, id: str, state: GuestState = GuestState.STOPPED) -> None:
        """The guest goes down, by itself, as asked, or with ``GuestState.CRASHED``; nothing when it is not up."""
        guest = self.guests.get(id)
        if guest is not None and guest.state in _UP:
            self.consoles[id].extend(f"tiny: {state.value}\n".encode())
            self.put(evolve(guest, state=state))


@implementer(IHypervisor, IPausing)
class FakeHypervisor:
    """Drives a :class:`FakeWorld`."""

    def __init__(self, clock: Clock, images: IImages, world: FakeWorld | None = None,
                 folder: Path | None = None) -> None:
        """A world of its own unless one is given; kept in ``folder``, if any."""
        self._clock = clock
        self._images = images
        self._fetching = DeferredLock()
        self._world = world or FakeWorld(clock, file=WorldFile(folder / FILE) if folder else None)

    @property
    def world(self) -> FakeWorld:
        """The host as it is now."""
        self._world.recall()
        return self._world

    async def capacity(self) -> HostCapacity:
        """As the options say."""
        return self.world.options.capacity

    async def guests(self) -> tuple[Guest, ...]:
        """All of them, in the order they were prepared."""
        return tuple(self.world.guests.values())

    async def look(self, id: str) -> Guest:
        """One of them."""
        return self.world.look(id)

    async def prepare(self, spec: GuestSpec) -> None:
        """Read the image once per world; then the disks are there."""
        if spec.id in self.world.guests:
            return
        for file in files_of(spec.image):
            if file.id not in self.world.images:
                await self._fetching.run(self._fetch, file)
        if spec.id not in self.world.guests:
            self.world.put(Guest(id=spec.id, state=GuestState.ABSENT, prepared=True))

    async def _fetch(self, file: ImageFile) -> None:
        if file.id not in self.world.images:
            async for _ in checked_blocks(self._images, file):
                pass
            self.world.images.add(file.id)
            self.world.keep()

    async def start(self, spec: GuestSpec) -> None:
        """Runs at once."""
        guest = self.world.look(spec.id)
        if not guest.prepared:
            raise TransientFailure(f"The disks of guest {spec.id} are not prepared.")
        if guest.state is GuestState.PAUSED:
            await self.unpause(spec.id)
        elif guest.state is not GuestState.RUNNING:
            self.world.boot(spec)
        elif guest.shutdown_at is not None:
            self.world.put(evolve(guest, shutdown_at=None, shutdown_generation=None))

    async def shutdown(self, id: str, now: float, generation: int) -> None:
        """Takes effect after the option's delay; at once when that is 0."""
        guest = self.world.look(id)
        if guest.state not in _UP:
            return
        self.world.put(evolve(guest, shutdown_at=now, shutdown_generation=generation))
        seconds = self.world.options.shutdown_seconds
        if seconds is not None and guest.state is GuestState.RUNNING:
            self._power_button(id, now, seconds)

    def _power_button(self, id: str, now: float, seconds: float) -> None:
        if not seconds:
            self.world.stop(id)
        else:
            self._clock.callLater(seconds, self._went_down, id, now)

    def _went_down(self, id: str, asked: float) -> None:
        if self.world.look(id).shutdown_at == asked:
            self.world.stop(id)

    async def destroy(self, id: str) -> None:
        """Off at once."""
        guest = self.world.look(id)
        if guest.state not in (GuestState.ABSENT, GuestState.STOPPED):
            asked = self._clock.seconds() if guest.shutdown_at is None else guest.shutdown_at
            self.world.put(evolve(guest, state=GuestState.STOPPED, shutdown_at=asked))

    async def remove(self, id: str) -> None:
        """Gone at once."""
        self.world.drop(id)

    async def console_output(self, id: str, length: int) -> bytes:
        """What the guest wrote when it came up."""
        return bytes(self.world.consoles.get(id, b"")[-length:]) if length > 0 else b""

    async def close(self) -> None:
        """Nothing is held."""

    async def pause(self, id: str) -> None:
        """RUNNING becomes PAUSED."""
        self._switch(id, GuestState.RUNNING, GuestState.PAUSED)

    async def unpause(self, id: str) -> None:
        """PAUSED becomes RUNNING."""
        self._switch(id, GuestState.PAUSED, GuestState.RUNNING)

    def _switch(self, id: str, before: GuestState, after: GuestState) -> None:
        guest = self.world.look(id)
        if guest.state is before:
            self.world.put(evolve(guest, state=after))
