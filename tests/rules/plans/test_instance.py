"""The plan of an instance: complete, and it always arrives."""

from itertools import product

import pytest
from attrs import evolve

from stackd.model.faults import Fault, FaultCode
from stackd.model.guests import Guest
from stackd.model.instances import GuestState, InstanceDesired, RebootKind
from stackd.model.networks import WiringState
from stackd.rules.plans.instance import TABLE, PlanSettings, Verb, next_step, reached
from stackd.testing.records import a_guest, a_port, an_assignment, an_instance

NOW = 1000.0
SETTINGS = PlanSettings(shutdown_grace=60.0)
RUNNING, STOPPED, DELETED = InstanceDesired.RUNNING, InstanceDesired.STOPPED, InstanceDesired.DELETED


def test_every_pair_of_desired_and_observed_has_a_step() -> None:
    assert set(TABLE) == set(product(InstanceDesired, GuestState))


def perform(guest: Guest, verb: Verb, reboots: int, now: float) -> Guest:
    """The world after a verb, as the driver's contract promises it."""
    if verb is Verb.PREPARE:
        return evolve(guest, prepared=True)
    if verb is Verb.START:
        if guest.state is GuestState.PAUSED:
            return evolve(guest, state=GuestState.RUNNING)
        started = guest.reboots if guest.state is GuestState.RUNNING else reboots
        return evolve(guest, state=GuestState.RUNNING, reboots=started, shutdown_at=None, shutdown_generation=None)
    if verb is Verb.SHUTDOWN:
        return evolve(guest, shutdown_at=now, shutdown_generation=1)
    if verb is Verb.DESTROY:
        return evolve(guest, state=GuestState.STOPPED, shutdown_at=NOW)
    if verb is Verb.REMOVE:
        return Guest(id=guest.id, state=GuestState.ABSENT)
    return guest


@pytest.mark.parametrize("desired", InstanceDesired)
@pytest.mark.parametrize("state", [state for state in GuestState if state is not GuestState.UNKNOWN])
@pytest.mark.parametrize("pending", [0, 2])
@pytest.mark.parametrize("kind", RebootKind)
def test_from_every_state_the_desired_one_is_reached_in_few_steps(
        desired: InstanceDesired, state: GuestState, pending: int, kind: RebootKind) -> None:
    assignment = an_assignment(an_instance(desired=desired, reboots=pending, reboot_kind=kind))
    for prepared, shutdown_at, generation in product((False, True), (None, NOW - 5, NOW - 500, NOW + 3600),
                                                     (None, 0, 1)):
        guest = a_guest(state, prepared=prepared or state is not GuestState.ABSENT, shutdown_at=shutdown_at,
                        shutdown_generation=generation)
        begun, now = guest, NOW
        for _ in range(10):
            step = next_step(assignment, guest, now, SETTINGS)
            if step.verb is Verb.NOTHING:
                break
            if step.verb is Verb.WAIT:
                assert step.delay is not None
                now += step.delay + 0.001
            guest = perform(guest, step.verb, pending, now)
        assert reached(assignment.instance, guest), begun


def test_a_guest_is_not_started_before_its_ports_are_wired() -> None:
    port = a_port(observed=WiringState.UNKNOWN)
    assignment = an_assignment(ports=(port,))
    guest = a_guest(GuestState.STOPPED)
    assert next_step(assignment, guest, NOW, SETTINGS).verb is Verb.WAIT
    wired = an_assignment(ports=(evolve(port, observed=WiringState.WIRED),))
    assert next_step(wired, guest, NOW, SETTINGS).verb is Verb.START


def test_a_port_wired_on_another_host_does_not_count() -> None:
    assignment = an_assignment(ports=(a_port(observed=WiringState.WIRED, host="host-2"),))
    assert next_step(assignment, a_guest(GuestState.STOPPED), NOW, SETTINGS).verb is Verb.WAIT


def test_a_guest_gets_its_grace_before_its_power_is_cut() -> None:
    assignment = an_assignment(desired=STOPPED)
    asked = next_step(assignment, a_guest(), NOW, SETTINGS)
    assert asked.verb is Verb.SHUTDOWN
    waiting = next_step(assignment, a_guest(shutdown_at=NOW - 20, shutdown_generation=1), NOW, SETTINGS)
    assert (waiting.verb, waiting.delay) == (Verb.WAIT, 40.0)
    late = a_guest(shutdown_at=NOW - 60, shutdown_generation=1)
    assert next_step(assignment, late, NOW, SETTINGS).verb is Verb.DESTROY


@pytest.mark.parametrize(("shutdown_at", "generation"), [(NOW - 60, 1), (NOW - 5, 1), (NOW - 60, None), (NOW + 90, 2)])
def test_what_was_not_asked_by_this_generation_or_lies_in_the_future_is_asked_anew(
        shutdown_at: float, generation: int | None) -> None:
    guest = a_guest(shutdown_at=shutdown_at, shutdown_generation=generation)
    for wanted in (an_instance(generation=2, desired=STOPPED), an_instance(generation=2, reboots=1)):
        assert next_step(an_assignment(wanted), guest, NOW, SETTINGS).verb is Verb.SHUTDOWN


def test_a_guest_that_shall_run_again_is_up_only_when_an_earlier_shutdown_has_no_effect_any_more() -> None:
    assignment = an_assignment(an_instance(generation=3))
    asked = a_guest(shutdown_at=NOW - 20, shutdown_generation=2)
    waiting = next_step(assignment, asked, NOW, SETTINGS)
    assert (waiting.verb, waiting.delay) == (Verb.WAIT, 40.0)
    assert not reached(assignment.instance, asked)
    for over in (NOW - 60, NOW + 90):
        assert next_step(assignment, evolve(asked, shutdown_at=over), NOW, SETTINGS).verb is Verb.START


def test_a_paused_guest_goes_on_unless_it_is_to_be_rebooted_or_stopped() -> None:
    paused = a_guest(GuestState.PAUSED)
    assert next_step(an_assignment(), paused, NOW, SETTINGS).verb is Verb.START
    for instance in (an_instance(reboots=1), an_instance(desired=STOPPED)):
        assert next_step(an_assignment(instance), paused, NOW, SETTINGS).verb is Verb.DESTROY


def test_a_hard_reboot_does_not_ask() -> None:
    assignment = an_assignment(an_instance(reboots=1, reboot_kind=RebootKind.HARD))
    assert next_step(assignment, a_guest(), NOW, SETTINGS).verb is Verb.DESTROY


def test_a_fault_stops_all_but_deletion() -> None:
    faulty = an_instance(fault=Fault(code=FaultCode.HYPERVISOR, generation=1, message="no"))
    assert next_step(an_assignment(faulty), a_guest(GuestState.ABSENT), NOW, SETTINGS).verb is Verb.NOTHING
    assert next_step(an_assignment(faulty, desired=DELETED), a_guest(), NOW, SETTINGS).verb is Verb.REMOVE
