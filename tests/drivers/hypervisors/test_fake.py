"""The fake hypervisor passes the contract of all, and its world does what tests of workers ask of it."""

import time
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.task import Clock

from stackd.drivers.hypervisors.fake import FakeHypervisor, FakeOptions, FakeWorld
from stackd.model.guests import GuestNic, GuestSpec
from stackd.model.ids import new_id
from stackd.model.images import ImageSnapshot
from stackd.model.instances import GuestState
from stackd.testing.contracts.hypervisor import HeldImages, HypervisorContract, running, spec_of


class FakeBench:
    """A host in memory."""

    def __init__(self, options: FakeOptions | None = None) -> None:
        self.clock = Clock()
        self.images = HeldImages()
        self.world = FakeWorld(self.clock, options or FakeOptions())

    def driver(self) -> FakeHypervisor:
        """A new driver over the same world."""
        return FakeHypervisor(self.clock, self.images, self.world)

    def snapshot(self) -> ImageSnapshot:
        """Any bytes will do."""
        disk = self.images.hold(b"\0" * 100_000)
        return ImageSnapshot(id=disk.id, name="nothing", disk=disk)

    def nics(self) -> tuple[GuestNic, ...]:
        """None are needed."""
        return ()


class KeptBench(FakeBench):
    """A host in a folder; every driver knows of the others only what stands there."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def driver(self) -> FakeHypervisor:
        """A new driver, as in a new process."""
        return FakeHypervisor(self.clock, self.images, folder=self.folder)


class TestKept(HypervisorContract):
    """The contract over the fake whose world is kept in a folder."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> KeptBench:
        """A fresh host."""
        return KeptBench(tmp_path / "host")


class TestFake(HypervisorContract):
    """The contract over the fake."""

    @pytest.fixture
    def bench(self) -> FakeBench:
        """A fresh host."""
        return FakeBench()


@pytest_twisted.ensureDeferred
async def test_the_console_tells_the_name_and_that_it_is_up() -> None:
    bench = FakeBench()
    driver = bench.driver()
    spec = await running(bench, driver, name="moon")
    text = await driver.console_output(spec.id, 1000)
    assert b"name=moon" in text
    assert text.endswith(b"tiny: ready\n")
    assert await driver.console_output(spec.id, 6) == b"ready\n"


@pytest_twisted.ensureDeferred
async def test_a_slow_shutdown_takes_effect_on_the_clock_even_without_the_driver() -> None:
    bench = FakeBench(FakeOptions(shutdown_seconds=5.0))
    spec = await running(bench, bench.driver())
    await bench.driver().shutdown(spec.id, 1.0, 1)
    bench.clock.advance(4.9)
    assert bench.world.look(spec.id).state is GuestState.RUNNING
    bench.clock.advance(0.2)
    assert bench.world.look(spec.id).state is GuestState.STOPPED


@pytest_twisted.ensureDeferred
async def test_a_shutdown_that_was_overtaken_by_a_new_start_does_not_stop_the_guest() -> None:
    bench = FakeBench(FakeOptions(shutdown_seconds=5.0))
    driver = bench.driver()
    spec = await running(bench, driver)
    await driver.shutdown(spec.id, 1.0, 1)
    await driver.destroy(spec.id)
    await driver.start(spec)
    bench.clock.advance(10)
    assert bench.world.look(spec.id).state is GuestState.RUNNING


@pytest_twisted.ensureDeferred
async def test_a_deaf_guest_runs_on_after_a_shutdown() -> None:
    bench = FakeBench(FakeOptions(shutdown_seconds=None))
    driver = bench.driver()
    spec = await running(bench, driver)
    await driver.shutdown(spec.id, 1.0, 1)
    bench.clock.advance(1000)
    assert (await driver.look(spec.id)).state is GuestState.RUNNING
    await driver.start(evolve(spec, reboots=4))
    guest = await driver.look(spec.id)
    assert (guest.state, guest.shutdown_at, guest.reboots) == (GuestState.RUNNING, None, 0)


@pytest_twisted.ensureDeferred
async def test_a_guest_that_powers_itself_off_carries_no_mark_of_ours() -> None:
    bench = FakeBench()
    driver = bench.driver()
    spec = await running(bench, driver)
    bench.world.stop(spec.id)
    guest = await driver.look(spec.id)
    assert (guest.state, guest.shutdown_at) == (GuestState.STOPPED, None)


@pytest_twisted.ensureDeferred
async def test_ten_thousand_guests_cost_next_to_nothing() -> None:
    bench = FakeBench()
    driver = bench.driver()
    first = spec_of(bench)
    specs: list[GuestSpec] = [evolve(first, id=new_id()) for _ in range(10_000)]
    begun = time.process_time()
    for spec in specs:
        await driver.prepare(spec)
        await driver.start(spec)
    assert time.process_time() - begun < 3
    assert len(await driver.guests()) == 10_000
    assert bench.images.reads == [first.image.disk.id]


@pytest_twisted.ensureDeferred
async def test_a_world_in_a_folder_outlives_its_driver_with_its_consoles(tmp_path: Path) -> None:
    bench = KeptBench(tmp_path / "host")
    first, second = bench.driver(), bench.driver()
    spec = await running(bench, first, name="moon")
    assert (await second.guests()) == (await first.guests())
    await second.destroy(spec.id)
    assert (await first.look(spec.id)).state is GuestState.STOPPED
    assert b"name=moon" in await bench.driver().console_output(spec.id, 1000)
    assert [path.name for path in bench.folder.iterdir()] == ["guests.json"]
