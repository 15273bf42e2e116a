"""The compute worker brings guests to what is desired, whatever happens to it on the way."""

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from stackd import errors
from stackd.drivers.hypervisors.fake import FakeOptions
from stackd.model.assignments import Assignments, InstanceAssignment
from stackd.model.guests import Guest, GuestSpec
from stackd.model.instances import GuestState, ObservedInstance, RebootKind
from stackd.model.networks import Port, WiringState
from stackd.testing.cloudends import instance
from tests.workers.computebench import DELETED, RUNNING, STOPPED, A, B, Bench, bench

__all__ = ["bench"]


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


def test_a_guest_that_its_host_paused_goes_on_after_a_while_and_is_never_cut(bench: Bench) -> None:
    bench.launch()
    bench.world.put(evolve(bench.world.look(A), state=GuestState.PAUSED))
    bench.run(11)
    assert bench.seen()[0] is GuestState.PAUSED
    bench.run(11)
    assert bench.seen() == (GuestState.RUNNING, True)
    assert bench.driver.verbs[2:] == ["start"]
    assert bench.world.consoles[A].count(b"tiny: ready") == 1


def test_a_guest_that_pauses_again_and_again_is_let_go_on_ever_more_seldom(bench: Bench) -> None:
    bench.launch()

    def fill_disk(hours: float) -> None:
        for _ in range(int(hours * 720)):
            bench.world.put(evolve(bench.world.look(A), state=GuestState.PAUSED))  # its next write
            bench.run(5)

    fill_disk(1)
    assert set(bench.driver.verbs[2:]) == {"start"}
    first_hour = len(bench.driver.verbs)
    assert 14 < first_hour < 20
    fill_disk(1)
    assert 10 <= len(bench.driver.verbs) - first_hour <= 12
    assert bench.seen()[0] is GuestState.PAUSED
    bench.run(700)
    assert bench.seen() == (GuestState.RUNNING, True)
    begun = len(bench.driver.verbs)
    fill_disk(0.01)
    assert len(bench.driver.verbs) > begun, "it ran for long between"


def test_a_guest_that_never_stays_up_is_left_alone_between(bench: Bench) -> None:
    async def start(spec: GuestSpec) -> None:
        bench.driver.verbs.append("start")

    bench.driver.start = start  # type: ignore[attr-defined]
    bench.launch()
    bench.run(60)
    assert 6 < len(bench.driver.verbs) < 80


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
