"""The compute worker brings guests to what is desired, whatever happens to it on the way."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.drivers.hypervisors.fake import FakeHypervisor, FakeOptions, FakeWorld
from stackd.interfaces.hypervisor import IHypervisor
from stackd.model.assignments import Assignments, InstanceAssignment
from stackd.model.faults import Fault, FaultCode
from stackd.model.guests import Guest, GuestSpec
from stackd.model.instances import GuestState, InstanceDesired, ObservedInstance, RebootKind
from stackd.model.networks import Port, WiringState
from stackd.rules.plans.instance import PlanSettings
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.workers.compute import ComputeWorker
from stackd.workers.settings import WorkerSettings

A, B = "a" * 32, "b" * 32
DELETED, RUNNING, STOPPED = InstanceDesired.DELETED, InstanceDesired.RUNNING, InstanceDesired.STOPPED


class Empty:
    """An image source whose images are empty files."""

    async def read(self, image_id: str) -> Any:
        yield b""


class Dead(Exception):
    """Never seen: a driver call of a dead process does not come back."""


@implementer(IHypervisor)
class Fragile:
    """A driver whose process dies at the n-th verb, before or after it took effect; ``verbs`` are those called."""

    def __init__(self, driver: IHypervisor, dies_at: int = 0, *, after: bool = False) -> None:
        self._driver, self._dies_at, self._after = driver, dies_at, after
        self.verbs: list[str] = []
        self.refusals: dict[str, list[errors.StackdError]] = {}

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._driver, name)
        return verb if name in ("capacity", "guests", "look", "close", "console_output") else self._wrapped(name, verb)

    def _wrapped(self, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any) -> Any:
            self.verbs.append(name)
            if self.refusals.get(name):
                raise self.refusals[name].pop(0)
            if len(self.verbs) == self._dies_at and not self._after:
                await Deferred()
            result = await verb(*args)
            if len(self.verbs) == self._dies_at:
                await Deferred()
            return result
        return called


class Bench:
    """One host with a compute worker, and the cloud's end."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.cloud = HeldAssignments()
        self.bus = MemoryBus(self.clock)
        self.world = FakeWorld(self.clock, FakeOptions(**options))
        self.settings = WorkerSettings(plan=PlanSettings(shutdown_grace=30.0))
        self.start()

    def start(self, dies_at: int = 0, *, after: bool = False) -> None:
        """A new worker process on the host."""
        self.driver = Fragile(FakeHypervisor(self.clock, Empty(), self.world), dies_at, after=after)  # type: ignore
        self.worker = ComputeWorker(
            hypervisor=self.driver, host="h1", zone="z", assignments=self.cloud, bus=self.bus, clock=self.clock,
            randomness=random.Random(3), settings=self.settings)
        self.worker.startService()
        self.run(0)

    def die(self) -> None:
        """The process is gone; what it waited for never comes."""
        self.worker.stopService()

    def run(self, seconds: float) -> None:
        """Time passes, in small steps."""
        self.clock.advance(0)
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)

    def wake(self) -> None:
        """As after a commit."""
        self.bus.wake("compute@h1", {})
        self.run(0.5)

    def launch(self, id: str = A, **values: Any) -> None:
        """An instance without interfaces is placed here."""
        self.cloud.assign("h1", InstanceAssignment(instance=instance(id, "h1", **values)))
        self.wake()

    def change(self, id: str = A, **values: Any) -> None:
        """A user's action."""
        self.cloud.change(id, **values)
        self.wake()

    def seen(self, id: str = A) -> tuple[GuestState, bool]:
        """What the cloud knows: the state, and whether the generation is reached."""
        known = self.cloud.instance(id)
        return known.observed.state, known.observed.generation == known.generation

    def reported(self, id: str = A) -> list[Any]:
        """Every word about an instance."""
        return [one for report in self.cloud.reports for one in report.instances if one.id == id]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_launch_runs_and_is_told_once(bench: Bench) -> None:
    bench.launch()
    assert bench.world.look(A).state is GuestState.RUNNING
    assert bench.seen() == (GuestState.RUNNING, True)
    bench.run(300)
    assert len(bench.reported()) == 1
    assert bench.driver.verbs == ["prepare", "start"]


def test_hello_says_what_the_host_can_carry(bench: Bench) -> None:
    [hello] = bench.cloud.hellos
    assert (hello.host, hello.worker, hello.zone) == ("h1", "compute", "z")
    assert hello.capacity == bench.world.options.capacity


def test_a_guest_waits_for_its_wires_with_its_disks_made(bench: Bench) -> None:
    port = Port(id="c" * 32, project_id="p", network_id="d" * 32, mac="02:00:00:00:00:01", host="h1")
    assignment = InstanceAssignment(instance=instance(A, "h1"), ports=(port,), mtus={"d" * 32: 1400})
    bench.cloud.assign("h1", assignment)
    bench.wake()
    assert bench.world.look(A) == Guest(id=A, state=GuestState.ABSENT, prepared=True)
    assert bench.reported() == []
    bench.cloud.assign("h1", evolve(assignment, ports=(evolve(port, observed=WiringState.WIRED),)))
    bench.wake()
    assert bench.seen() == (GuestState.RUNNING, True)


def test_stop_and_start(bench: Bench) -> None:
    bench.launch()
    bench.change(desired=STOPPED)
    assert bench.seen() == (GuestState.STOPPED, True)
    bench.change(desired=RUNNING)
    assert bench.seen() == (GuestState.RUNNING, True)
    assert bench.driver.verbs[2:] == ["shutdown", "start"]


def test_a_guest_that_ignores_acpi_is_cut_off_after_its_grace() -> None:
    bench = Bench(shutdown_seconds=None)
    bench.launch()
    bench.change(reboots=1)
    bench.run(25)
    assert bench.seen() == (GuestState.RUNNING, False)
    bench.run(10)
    assert bench.seen() == (GuestState.RUNNING, True)
    assert bench.cloud.instance(A).observed.reboots == 1
    assert bench.driver.verbs[2:] == ["shutdown", "destroy", "start"]


def test_a_slow_shutdown_is_noticed_soon() -> None:
    bench = Bench(shutdown_seconds=5.0)
    bench.launch()
    bench.change(desired=STOPPED)
    bench.run(7)
    assert bench.seen() == (GuestState.STOPPED, True)


def test_a_guest_that_was_asked_to_stop_and_runs_on_is_asked_anew_when_it_is_stopped_later() -> None:
    bench = Bench(shutdown_seconds=None)
    bench.launch()
    bench.change(desired=STOPPED)
    bench.change(desired=RUNNING)
    bench.run(10)
    assert bench.seen() == (GuestState.RUNNING, False), "it may still go down"
    bench.run(3600)
    assert bench.seen() == (GuestState.RUNNING, True)
    bench.world.options = FakeOptions(shutdown_seconds=20.0)  # it has booted and hears the button now
    bench.change(desired=STOPPED)
    bench.run(25)
    assert bench.seen() == (GuestState.STOPPED, True)
    assert bench.driver.verbs[2:] == ["shutdown", "start", "shutdown"]


def test_a_guest_that_once_did_not_hear_a_shutdown_may_power_itself_off_later() -> None:
    bench = Bench(shutdown_seconds=None)
    bench.launch()
    bench.change(desired=STOPPED)
    bench.change(desired=RUNNING)
    bench.run(300)
    bench.world.stop(A)
    bench.run(30)
    assert bench.cloud.instance(A).desired is STOPPED
    assert bench.seen() == (GuestState.STOPPED, True)


def test_a_guest_that_goes_down_late_is_started_again_when_it_shall_run_again() -> None:
    bench = Bench(shutdown_seconds=20.0)
    bench.launch()
    bench.change(desired=STOPPED)
    bench.change(desired=RUNNING)
    bench.run(60)
    assert bench.cloud.instance(A).desired is RUNNING
    assert bench.seen() == (GuestState.RUNNING, True)
    assert bench.world.consoles[A].count(b"tiny: ready") == 2


def test_a_hard_reboot_does_not_ask(bench: Bench) -> None:
    bench.launch()
    bench.change(reboots=1, reboot_kind=RebootKind.HARD)
    assert bench.seen() == (GuestState.RUNNING, True)
    assert bench.driver.verbs[2:] == ["destroy", "start"]


def test_terminate_is_told_twice_and_then_forgotten(bench: Bench) -> None:
    bench.launch()
    bench.change(desired=DELETED)
    assert bench.world.look(A) == Guest(id=A, state=GuestState.ABSENT)
    assert bench.cloud.instance(A).ended_at is not None
    bench.run(400)
    first, second = bench.reported()[1:]
    assert second.observed.at - first.observed.at >= 60
    told = len(bench.reported())
    bench.run(1200)
    assert len(bench.reported()) == told


def test_a_guest_that_powers_itself_off_stays_off(bench: Bench) -> None:
    bench.launch()
    bench.world.stop(A)
    bench.run(30)
    assert bench.cloud.instance(A).desired is STOPPED
    assert bench.seen() == (GuestState.STOPPED, True)
    assert bench.driver.verbs == ["prepare", "start"]


def test_a_guest_that_powered_itself_off_while_no_worker_ran_stays_off(bench: Bench) -> None:
    bench.launch()
    bench.die()
    bench.world.stop(A)
    bench.start()
    bench.run(1)
    assert bench.cloud.instance(A).desired is STOPPED
    assert bench.driver.verbs == []


def test_a_guest_that_powered_itself_off_is_not_started_before_the_cloud_has_decided(bench: Bench) -> None:
    bench.launch()
    report = bench.cloud.report

    async def refuse(report: Any) -> None:
        raise errors.OutcomeUnknown("Lost.")

    bench.cloud.report = refuse  # type: ignore[method-assign]
    bench.world.stop(A)
    bench.run(150)
    assert bench.driver.verbs == ["prepare", "start"]
    bench.cloud.report = report  # type: ignore[method-assign]
    bench.run(30)
    assert bench.cloud.instance(A).desired is STOPPED


def test_a_newer_wish_wins_over_a_guest_that_powered_itself_off(bench: Bench) -> None:
    bench.launch()
    bench.world.stop(A)
    bench.change(reboots=1)
    assert bench.seen() == (GuestState.RUNNING, True)


def test_what_does_not_change_is_told_again_after_a_long_time(bench: Bench) -> None:
    bench.launch()
    bench.run(1000)
    assert len(bench.reported()) == 2


def test_a_crashed_guest_is_started_again(bench: Bench) -> None:
    bench.launch()
    bench.world.stop(A, GuestState.CRASHED)
    bench.run(30)
    assert bench.world.look(A).state is GuestState.RUNNING
    assert bench.cloud.instance(A).desired is RUNNING


def test_a_guest_that_never_stays_up_is_left_alone_between(bench: Bench) -> None:
    async def start(spec: GuestSpec) -> None:
        bench.driver.verbs.append("start")

    bench.driver.start = start  # type: ignore[attr-defined]
    bench.launch()
    bench.run(60)
    assert 6 < len(bench.driver.verbs) < 80


def test_what_fails_in_passing_is_tried_again(bench: Bench) -> None:
    bench.driver.refusals["prepare"] = [errors.TransientFailure("Busy.")] * 3
    bench.launch()
    bench.run(30)
    assert bench.seen() == (GuestState.RUNNING, True)
    assert bench.cloud.instance(A).fault is None


@pytest.mark.parametrize(("verb", "failure", "code"), [
    ("prepare", errors.ImageVanished("The bytes are gone."), FaultCode.IMAGE),
    ("prepare", errors.PermanentFailure("It refers to other files."), FaultCode.IMAGE),
    ("start", errors.PermanentFailure("No such machine type."), FaultCode.HYPERVISOR)])
def test_what_fails_for_good_is_a_fault_once(bench: Bench, verb: str, failure: Any, code: FaultCode) -> None:
    bench.driver.refusals[verb] = [failure] * 9
    bench.launch()
    bench.run(200)
    fault = bench.cloud.instance(A).fault
    assert fault is not None
    assert (fault.code, fault.generation) == (code, 1)
    assert failure.message in fault.message
    assert bench.driver.verbs.count(verb) == 1
    bench.driver.refusals.clear()
    bench.change()
    assert bench.seen() == (GuestState.RUNNING, True)


def test_what_fails_when_something_else_is_desired_already_is_no_fault(bench: Bench) -> None:
    bench.launch()
    bench.change(desired=STOPPED)
    refused: Deferred[None] = Deferred()
    look = bench.driver.look

    async def start(spec: GuestSpec) -> None:
        await refused

    bench.driver.start = start  # type: ignore[attr-defined]
    bench.change(desired=RUNNING)
    bench.change(desired=STOPPED)

    async def slow(id: str) -> Guest:
        await deferLater(bench.clock, 2.0)
        return await look(id)

    bench.driver.look = slow  # type: ignore[attr-defined]
    refused.errback(errors.PermanentFailure("No such machine type."))
    bench.run(30)
    assert [one.fault for one in bench.reported()] == [None] * 3
    assert bench.seen() == (GuestState.STOPPED, True)


def test_a_fault_stands_through_a_new_worker_and_is_over_when_the_guest_is_as_desired(bench: Bench) -> None:
    bench.launch()
    bench.driver.refusals["start"] = [errors.PermanentFailure("No such machine type.")]
    bench.world.stop(A, GuestState.CRASHED)
    bench.run(30)
    bench.die()
    bench.start()
    bench.run(1000)
    fault = bench.cloud.instance(A).fault
    assert fault is not None and fault.generation == 1
    bench.world.put(evolve(bench.world.look(A), state=GuestState.RUNNING, shutdown_at=None))
    bench.run(70)
    assert bench.cloud.instance(A).fault is None
    bench.world.stop(A, GuestState.CRASHED)
    bench.run(30)
    assert bench.seen() == (GuestState.RUNNING, True), "the worker acts again"


def test_a_fault_that_others_found_is_theirs_to_tell(bench: Bench) -> None:
    fault = Fault(code=FaultCode.NETWORK, generation=1, message="No such network.")
    bench.launch(fault=fault)
    bench.run(1000)
    assert [one.fault for one in bench.reported()] == [None]


def test_a_fault_does_not_keep_an_instance_from_being_deleted(bench: Bench) -> None:
    bench.driver.refusals["start"] = [errors.PermanentFailure("No.")]
    bench.launch()
    bench.driver.refusals["remove"] = [errors.PermanentFailure("Disk is read-only.")] * 2
    bench.change(desired=DELETED)
    assert "read-only" in str(bench.cloud.instance(A).fault)
    bench.run(30)
    assert bench.cloud.instance(A).ended_at is not None


def test_what_moved_is_removed_and_what_is_unknown_is_kept(bench: Bench) -> None:
    bench.die()
    for id, epoch in ((A, 1), (B, 0)):
        bench.world.boot(GuestSpec(id=id, name="n", vcpus=1, memory_mib=1, disk_gib=1, epoch=epoch,
                                   image=instance(id, "h").image))
    bench.cloud.assign("h2", InstanceAssignment(instance=instance(A, "h2", placement_epoch=2)))
    bench.start()
    bench.run(1)
    assert list(bench.world.guests) == [B]
    assert bench.worker.unknown == (B,)


def test_what_came_back_is_not_removed_by_an_old_word(bench: Bench) -> None:
    bench.launch(A)
    bench.world.boot(GuestSpec(id=B, name="n", vcpus=1, memory_mib=1, disk_gib=1, epoch=7,
                               image=instance(B, "h").image))
    word = Assignments(version=bench.worker.assigned.version, moved={A: 1, B: 6})
    Deferred.fromCoroutine(bench.worker.take(word))
    bench.run(1)
    assert bench.world.look(A).state is bench.world.look(B).state is GuestState.RUNNING


def test_absence_is_no_order(bench: Bench) -> None:
    bench.launch()
    bench.cloud.withdraw("h1", A)
    bench.cloud.incarnation = "restored"
    bench.run(300)
    assert bench.world.look(A).state is GuestState.RUNNING
    assert bench.worker.unknown == (A,)


def test_another_incarnation_is_told_what_the_first_was_told(bench: Bench) -> None:
    bench.launch()
    bench.cloud.incarnation = "restored"
    bench.launch()
    bench.run(60)
    assert bench.seen() == (GuestState.RUNNING, True)


def test_a_disk_that_is_gone_is_not_made_anew_from_the_image(bench: Bench) -> None:
    """A host that was installed anew, or whose disks are not mounted, must not pass an empty guest off as the old."""
    bench.launch()
    bench.die()
    bench.world.drop(A)
    bench.change(A, launched_at=1.0, observed=ObservedInstance(state=GuestState.RUNNING, generation=1))
    bench.start()
    bench.run(60)
    assert bench.world.look(A).state is GuestState.ABSENT
    fault = bench.cloud.reports[-1].instances[0].fault
    assert fault is not None and fault.code is FaultCode.HYPERVISOR
    assert "disk is not on its host" in fault.message


def test_a_disk_that_goes_while_the_guest_runs_is_not_made_anew_either(bench: Bench) -> None:
    bench.launch()
    bench.run(300)
    bench.world.put(evolve(bench.world.look(A), state=GuestState.CRASHED, prepared=False))
    bench.run(60)
    fault = bench.cloud.instance(A).fault
    assert fault is not None and fault.code is FaultCode.HYPERVISOR
    assert "disk is not on its host" in fault.message
    assert bench.driver.verbs == ["prepare", "start", "destroy"]


def test_the_cloud_is_away_for_a_while(bench: Bench) -> None:
    bench.cloud.assign("h1", InstanceAssignment(instance=instance(A, "h1")))
    bench.cloud.failures = [errors.CallTimedOut("No answer.")] * 5
    bench.wake()
    bench.run(60)
    assert bench.seen() == (GuestState.RUNNING, True)


def test_at_most_so_many_builds_at_once_and_a_delete_does_not_wait_for_them() -> None:
    bench, hung = Bench(), Deferred[None]()
    bench.die()
    bench.settings = evolve(bench.settings, builds=1)
    bench.start()
    prepare = bench.driver.prepare

    async def slow(spec: GuestSpec) -> None:
        if spec.id == A:
            await hung
        await prepare(spec)

    bench.driver.prepare = slow  # type: ignore[attr-defined]
    for id in (A, B, "c" * 32):
        bench.launch(id)
    assert bench.driver.verbs == []
    bench.change(B, desired=DELETED)
    assert bench.cloud.instance(B).ended_at is not None
    hung.callback(None)
    bench.run(1)
    assert bench.seen(A) == bench.seen("c" * 32) == (GuestState.RUNNING, True)
    assert bench.driver.verbs.count("prepare") == 2


def test_the_console_over_the_bus(bench: Bench) -> None:
    bench.launch()
    answers: list[Any] = []
    call = bench.bus.call("compute@h1", "console_output", {"instance_id": A, "length": 6})
    Deferred.fromCoroutine(call).addBoth(answers.append)
    bench.run(1)
    assert answers == ["cmVhZHkK"]  # base64 of "ready\n"


def test_stopping_gracefully_waits_for_the_step_and_does_no_other(bench: Bench) -> None:
    hung: Deferred[None] = Deferred()
    prepare = bench.driver.prepare

    async def slow(spec: GuestSpec) -> None:
        await hung
        await prepare(spec)

    bench.driver.prepare = slow  # type: ignore[attr-defined]
    bench.launch()
    stopped = bench.worker.stopService()
    bench.run(5)
    assert not stopped.called
    hung.callback(None)
    bench.run(0)
    assert stopped.called
    assert bench.driver.verbs == ["prepare"]


JOURNEY: list[dict[str, Any]] = [
    {}, {"desired": STOPPED}, {"desired": RUNNING}, {"reboots": 1}, {"reboots": 2, "reboot_kind": RebootKind.HARD},
    {"desired": DELETED}]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies_at", range(1, 11))
def test_a_worker_that_dies_at_any_step_is_replaced(dies_at: int, after: bool) -> None:
    bench = Bench()
    bench.die()
    bench.start(dies_at, after=after)
    bench.launch()
    for action in JOURNEY[1:] + [{}]:
        bench.run(5)
        if len(bench.driver.verbs) == dies_at:
            bench.die()
            bench.start()
            bench.run(5)
        known = bench.cloud.instance(A)
        assert known.observed.generation == known.generation
        assert known.fault is None
        assert bench.world.look(A).state is known.observed.state
        assert bench.world.look(A).reboots == known.reboots or known.desired is not RUNNING
        if known.desired is DELETED:
            break
        bench.change(**action)
    assert bench.cloud.instance(A).ended_at is not None
    assert bench.world.guests == {}


def test_what_is_said_before_a_report_is_confirmed_is_said_again(bench: Bench) -> None:
    bench.cloud.assign("h1", InstanceAssignment(instance=instance(A, "h1", observed=ObservedInstance())))
    bench.worker.assigned.woken()
    bench.clock.advance(0)
    bench.cloud.failures = [errors.OutcomeUnknown("Lost.")]
    bench.run(20)
    assert bench.seen() == (GuestState.RUNNING, True)
