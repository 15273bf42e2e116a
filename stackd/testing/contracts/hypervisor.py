"""The contract of every hypervisor driver: subclass :class:`HypervisorContract`, give it a bench, run pytest.

A bench is one host with an image source; ``bench.driver()`` makes a new driver object over the same host, as a
restarted worker would. Third parties run it over their own drivers::

    class TestMine(HypervisorContract):
        @pytest.fixture
        def bench(self): ...
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import pytest
import pytest_twisted
from attrs import evolve, frozen
from zope.interface import implementer
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.interfaces.hypervisor import IHypervisor, IPausing
from stackd.interfaces.images import IImages
from stackd.model.callers import Caller
from stackd.model.guests import Guest, GuestNic, GuestSpec
from stackd.model.ids import new_id
from stackd.model.images import Image, ImageFile, ImageSnapshot
from stackd.model.instances import GuestState
from stackd.model.paging import Page, PageRequest

BLOCK = 65536
ALLOWED = (errors.DriverFailure, errors.NotSupported)
NOW = 1_700_000_000.0


@implementer(IImages)
class HeldImages:
    """An image source in memory: ``hold`` bytes, take them away with ``drop``, count the reads in ``reads``."""

    def __init__(self) -> None:
        """Nothing is held yet."""
        self._held: dict[str, bytes] = {}
        self.reads: list[str] = []

    def hold(self, content: bytes, disk_format: str = "raw") -> ImageFile:
        """Hold the bytes under a new id; the catalogue's words about them."""
        id = new_id()
        self._held[id] = content
        return ImageFile(id=id, disk_format=disk_format, size=len(content),
                         checksum=hashlib.md5(content, usedforsecurity=False).hexdigest())

    def drop(self, image_id: str) -> None:
        """Lose the bytes."""
        del self._held[image_id]

    async def show(self, caller: Caller, image_id: str) -> Image:
        """Hosts never ask."""
        raise errors.NotFound("image", image_id)

    async def find(self, caller: Caller, low: str, high: str) -> Image:
        """Hosts never ask."""
        raise errors.NotFound("image", low)

    async def list(self, caller: Caller, page: PageRequest) -> Page[Image]:
        """Hosts never ask."""
        return Page(())

    async def read(self, image_id: str) -> AsyncIterator[bytes]:
        """The bytes in blocks."""
        self.reads.append(image_id)
        if image_id not in self._held:
            raise errors.ImageVanished(f"Image {image_id} has no bytes.")
        content = self._held[image_id]
        for start in range(0, len(content), BLOCK):
            yield content[start:start + BLOCK]


class HypervisorBench(Protocol):
    """One host to drive."""

    images: HeldImages
    """What the host's drivers fetch from."""

    def driver(self) -> Any:
        """A new driver object over the same host; the bench closes it at the end of the test."""

    def snapshot(self) -> ImageSnapshot:
        """An image this host can boot, its bytes held by ``images``."""

    def nics(self) -> tuple[GuestNic, ...]:
        """Interfaces a guest may have here."""


@frozen
class _Verb:
    """A verb and how to call it for a guest."""

    name: str
    call: Callable[[Any, GuestSpec], Awaitable[object]]


UNDOING = (
    _Verb("shutdown", lambda driver, spec: driver.shutdown(spec.id, NOW, 1)),
    _Verb("destroy", lambda driver, spec: driver.destroy(spec.id)),
    _Verb("remove", lambda driver, spec: driver.remove(spec.id)),
)
PAUSING = (
    _Verb("pause", lambda driver, spec: driver.pause(spec.id)),
    _Verb("unpause", lambda driver, spec: driver.unpause(spec.id)),
)


def _pauses(driver: Any) -> bool:
    return bool(IPausing.providedBy(driver))


def spec_of(bench: HypervisorBench, **changes: Any) -> GuestSpec:
    """A small guest for this bench."""
    id = new_id()
    spec = GuestSpec(id=id, name=f"guest-{id[:8]}", vcpus=1, memory_mib=128, disk_gib=0, image=bench.snapshot(),
                     nics=bench.nics(), reboots=0, epoch=1)
    return evolve(spec, **changes)


async def running(bench: HypervisorBench, driver: Any, **changes: Any) -> GuestSpec:
    """The specification of a guest that was prepared and started."""
    spec = spec_of(bench, **changes)
    await driver.prepare(spec)
    await driver.start(spec)
    return spec


class HypervisorContract:
    """One behaviour per test; the fixture ``bench`` is the subclass's."""

    def test_it_provides_the_interface(self, bench: HypervisorBench) -> None:
        """Also the optional one where it says so."""
        driver = bench.driver()
        assert verifyObject(IHypervisor, driver)
        assert not _pauses(driver) or verifyObject(IPausing, driver)

    @pytest_twisted.ensureDeferred
    async def test_a_host_has_room(self, bench: HypervisorBench) -> None:
        """Capacities are positive."""
        capacity = await bench.driver().capacity()
        assert min(capacity.vcpus, capacity.memory_mib, capacity.disk_gib) > 0

    @pytest_twisted.ensureDeferred
    async def test_an_unknown_guest_is_absent(self, bench: HypervisorBench) -> None:
        """A look at nothing is no error."""
        id = new_id()
        assert await bench.driver().look(id) == Guest(id=id, state=GuestState.ABSENT)

    @pytest_twisted.ensureDeferred
    async def test_undoing_verbs_succeed_on_an_unknown_guest(self, bench: HypervisorBench) -> None:
        """And leave nothing behind."""
        driver, spec = bench.driver(), spec_of(bench)
        for verb in UNDOING + (PAUSING if _pauses(driver) else ()):
            await verb.call(driver, spec)
        assert (await driver.look(spec.id)).state is GuestState.ABSENT

    @pytest_twisted.ensureDeferred
    async def test_an_unknown_guest_has_no_console(self, bench: HypervisorBench) -> None:
        """Empty, not an error."""
        assert await bench.driver().console_output(new_id(), 1000) == b""

    @pytest_twisted.ensureDeferred
    async def test_starting_what_is_not_prepared_is_refused(self, bench: HypervisorBench) -> None:
        """With an allowed error, and nothing is made."""
        driver, spec = bench.driver(), spec_of(bench)
        with pytest.raises(ALLOWED):
            await driver.start(spec)
        assert (await driver.look(spec.id)).state is GuestState.ABSENT

    @pytest_twisted.ensureDeferred
    async def test_a_prepared_guest_is_listed_and_not_yet_there(self, bench: HypervisorBench) -> None:
        """ABSENT with ``prepared``, by ``look`` and ``guests``, also after a second prepare and a rebuilt driver."""
        spec = spec_of(bench)
        await bench.driver().prepare(spec)
        await bench.driver().prepare(spec)
        looked = await bench.driver().look(spec.id)
        assert (looked.state, looked.prepared) == (GuestState.ABSENT, True)
        assert looked in await bench.driver().guests()

    @pytest_twisted.ensureDeferred
    async def test_an_image_is_fetched_once(self, bench: HypervisorBench) -> None:
        """The second guest of an image needs no bytes any more."""
        driver, first = bench.driver(), spec_of(bench)
        await driver.prepare(first)
        before = len(bench.images.reads)
        await driver.prepare(evolve(first, id=new_id()))
        assert len(bench.images.reads) == before

    @pytest_twisted.ensureDeferred
    async def test_an_image_without_bytes_has_vanished(self, bench: HypervisorBench) -> None:
        """And nothing is prepared."""
        driver, spec = bench.driver(), spec_of(bench)
        lost = evolve(spec, image=evolve(spec.image, disk=evolve(spec.image.disk, id=new_id())))
        with pytest.raises(errors.ImageVanished):
            await driver.prepare(lost)
        assert not (await driver.look(lost.id)).prepared

    @pytest_twisted.ensureDeferred
    async def test_wrong_bytes_are_a_vanished_image(self, bench: HypervisorBench) -> None:
        """A checksum that does not match is noticed before anything boots."""
        driver, spec = bench.driver(), spec_of(bench)
        other = bench.images.hold(b"\1" * 1024)
        wrong = evolve(spec, image=evolve(spec.image, disk=evolve(other, checksum="0" * 32)))
        with pytest.raises(errors.ImageVanished):
            await driver.prepare(wrong)
        assert not (await driver.look(wrong.id)).prepared

    @pytest_twisted.ensureDeferred
    async def test_a_started_guest_runs_with_what_its_specification_says(self, bench: HypervisorBench) -> None:
        """Reboots and epoch are read back; a second start changes nothing."""
        driver = bench.driver()
        spec = await running(bench, driver, reboots=3, epoch=7)
        await driver.start(evolve(spec, reboots=4))
        assert await driver.look(spec.id) == Guest(
            id=spec.id, state=GuestState.RUNNING, prepared=True, reboots=3, epoch=7)

    @pytest_twisted.ensureDeferred
    async def test_a_rebuilt_driver_sees_the_running_guest(self, bench: HypervisorBench) -> None:
        """The look survives the worker."""
        first = bench.driver()
        spec = await running(bench, first, reboots=2, epoch=5)
        seen = await first.look(spec.id)
        await first.close()
        second = bench.driver()
        assert await second.look(spec.id) == seen
        assert seen in await second.guests()

    @pytest_twisted.ensureDeferred
    async def test_a_shutdown_is_marked_and_survives_the_driver(self, bench: HypervisorBench) -> None:
        """The first driver asks, the second still knows that it was us."""
        spec = await running(bench, bench.driver())
        await bench.driver().shutdown(spec.id, NOW, 6)
        guest = await bench.driver().look(spec.id)
        assert (guest.shutdown_at, guest.shutdown_generation) == (NOW, 6)

    @pytest_twisted.ensureDeferred
    async def test_a_destroyed_guest_is_stopped_by_us(self, bench: HypervisorBench) -> None:
        """Twice, and the disks stay."""
        driver = bench.driver()
        spec = await running(bench, driver)
        await driver.destroy(spec.id)
        await driver.destroy(spec.id)
        guest = await bench.driver().look(spec.id)
        assert (guest.state, guest.prepared) == (GuestState.STOPPED, True)
        assert guest.shutdown_at is not None

    @pytest_twisted.ensureDeferred
    async def test_destroying_keeps_an_earlier_shutdown_mark(self, bench: HypervisorBench) -> None:
        """The time we first asked is what the worker's patience is counted from."""
        driver = bench.driver()
        spec = await running(bench, driver)
        await driver.shutdown(spec.id, NOW, 2)
        await driver.destroy(spec.id)
        assert (await driver.look(spec.id)).shutdown_at == NOW

    @pytest_twisted.ensureDeferred
    async def test_a_start_forgets_that_a_guest_was_asked_to_shut_down(self, bench: HypervisorBench) -> None:
        """Whether it went down or runs on."""
        driver = bench.driver()
        spec = await running(bench, driver, reboots=3)
        before = await driver.look(spec.id)
        await driver.shutdown(spec.id, NOW, 2)
        await driver.start(spec)
        assert await bench.driver().look(spec.id) == before

    @pytest_twisted.ensureDeferred
    async def test_a_stopped_guest_starts_again_without_its_marks(self, bench: HypervisorBench) -> None:
        """A start satisfies the reboots asked before it and forgets shutdowns."""
        driver = bench.driver()
        spec = await running(bench, driver)
        await driver.destroy(spec.id)
        await driver.start(evolve(spec, reboots=9, epoch=2))
        assert await bench.driver().look(spec.id) == Guest(
            id=spec.id, state=GuestState.RUNNING, prepared=True, reboots=9, epoch=2)

    @pytest_twisted.ensureDeferred
    async def test_a_removed_guest_is_gone(self, bench: HypervisorBench) -> None:
        """Twice, while it ran: no look, no list and no console shows it."""
        driver = bench.driver()
        spec = await running(bench, driver)
        await driver.remove(spec.id)
        await driver.remove(spec.id)
        assert await bench.driver().look(spec.id) == Guest(id=spec.id, state=GuestState.ABSENT)
        assert spec.id not in [guest.id for guest in await bench.driver().guests()]
        assert await bench.driver().console_output(spec.id, 1000) == b""

    @pytest_twisted.ensureDeferred
    async def test_what_was_only_prepared_can_be_removed(self, bench: HypervisorBench) -> None:
        """Nothing of it is left."""
        driver, spec = bench.driver(), spec_of(bench)
        await driver.prepare(spec)
        await driver.remove(spec.id)
        assert not (await driver.look(spec.id)).prepared

    @pytest_twisted.ensureDeferred
    async def test_removing_one_guest_leaves_the_others(self, bench: HypervisorBench) -> None:
        """Also when they share the image."""
        driver, one = bench.driver(), spec_of(bench)
        other = evolve(one, id=new_id())
        await driver.prepare(one)
        await driver.prepare(other)
        await driver.remove(one.id)
        assert (await driver.look(other.id)).prepared

    @pytest_twisted.ensureDeferred
    async def test_pausing_and_going_on(self, bench: HypervisorBench) -> None:
        """Each twice; ``start`` wakes a paused guest too."""
        driver = bench.driver()
        if not _pauses(driver):
            pytest.skip("this driver cannot pause")
        spec = await running(bench, driver)
        for verb, state in ((driver.pause, GuestState.PAUSED), (driver.unpause, GuestState.RUNNING)):
            await verb(spec.id)
            await verb(spec.id)
            assert (await bench.driver().look(spec.id)).state is state
        await driver.pause(spec.id)
        await driver.start(spec)
        assert (await driver.look(spec.id)).state is GuestState.RUNNING
