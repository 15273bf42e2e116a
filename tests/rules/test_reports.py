"""What reports make of instances."""

from typing import Any

from attrs import evolve

from stackd.model.assignments import InstanceReport
from stackd.model.faults import Fault, FaultCode
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance, OnLaunchFault
from stackd.model.networks import WiringState
from stackd.rules.reports import Applied, applied, owned_by, unwirable
from stackd.testing.records import a_port, an_instance

DOWN = ObservedInstance(state=GuestState.STOPPED, generation=1, at=100.0)


def report(state: GuestState, generation: int = 1, **fields: Any) -> InstanceReport:
    """A report of the instance's own host."""
    return InstanceReport(id="d" * 32, epoch=1, observed=ObservedInstance(state=state, generation=generation),
                          **fields)


def apply(instance: Instance, said: InstanceReport) -> Applied:
    """Apply at time 500."""
    return applied(instance, said, 500.0)


def test_the_first_running_is_the_launch() -> None:
    new = an_instance(launched_at=None, observed=ObservedInstance())
    first = apply(new, report(GuestState.RUNNING))
    assert first.instance.launched_at == 500.0
    assert applied(first.instance, report(GuestState.RUNNING), 900.0).instance.launched_at == 500.0


def test_applying_twice_changes_nothing_more() -> None:
    once = apply(an_instance(), report(GuestState.STOPPED, 0))
    assert once.action == "observed"
    assert apply(once.instance, report(GuestState.STOPPED, 0)) == Applied(instance=once.instance)


def test_a_guest_that_powered_itself_off_stays_off() -> None:
    said = report(GuestState.STOPPED, powered_off_itself=True)
    outcome = apply(an_instance(), said)
    assert outcome.instance.desired is InstanceDesired.STOPPED
    assert outcome.restamp


def test_an_old_power_off_does_not_undo_a_newer_wish() -> None:
    said = report(GuestState.STOPPED, generation=1, powered_off_itself=True)
    assert apply(an_instance(generation=2), said).instance.desired is InstanceDesired.RUNNING


def test_a_deleted_one_ends_only_when_its_generation_saw_it_absent() -> None:
    going = an_instance(desired=InstanceDesired.DELETED, generation=2)
    assert not apply(going, report(GuestState.ABSENT, 1)).gone
    assert not apply(going, report(GuestState.STOPPED, 2)).gone
    gone = apply(going, report(GuestState.ABSENT, 2))
    assert gone.gone
    assert gone.instance.ended_at == 500.0


def test_absence_is_no_order() -> None:
    assert apply(an_instance(), report(GuestState.ABSENT)).instance.desired is InstanceDesired.RUNNING


def test_a_fault_before_the_first_run_ends_launches_that_asked_for_it() -> None:
    said = report(GuestState.ABSENT, 0, fault=Fault(code=FaultCode.IMAGE, generation=1, message="gone"))
    new = an_instance(launched_at=None, observed=ObservedInstance())
    kept = apply(new, said)
    assert (kept.instance.desired, kept.instance.fault) == (InstanceDesired.RUNNING, said.fault)
    ended = apply(evolve(new, on_launch_fault=OnLaunchFault.TERMINATE), said)
    assert (ended.instance.desired, ended.instance.fault) == (InstanceDesired.DELETED, said.fault)
    assert ended.restamp


def test_the_fault_of_an_older_generation_is_not_this_ones() -> None:
    said = report(GuestState.ABSENT, 0, fault=Fault(code=FaultCode.IMAGE, generation=1, message="gone"))
    assert apply(an_instance(generation=2), said).instance.fault is None


def test_a_fault_is_over_when_its_generation_is_reached_without_one() -> None:
    fault = Fault(code=FaultCode.HYPERVISOR, generation=3, message="no")
    for desired, state in (("RUNNING", "RUNNING"), ("STOPPED", "STOPPED")):
        faulty = an_instance(desired=InstanceDesired[desired], generation=3, fault=fault)
        outcome = apply(faulty, report(GuestState[state], 3))
        assert (outcome.instance.fault, outcome.action, outcome.restamp) == (None, "recovered", True)


def test_a_fault_stands_while_the_guest_is_not_seen_as_desired_or_the_fault_is_told_again() -> None:
    fault = Fault(code=FaultCode.HYPERVISOR, generation=3, message="no")
    faulty = an_instance(generation=3, fault=fault)
    for said in (report(GuestState.STOPPED, 3), report(GuestState.RUNNING, 2),
                 report(GuestState.RUNNING, 3, fault=fault)):
        assert apply(faulty, said).instance.fault == fault
    booting = an_instance(launched_at=None, generation=3, fault=fault, desired=InstanceDesired.STOPPED)
    assert apply(booting, report(GuestState.ABSENT, 3)).instance.fault == fault
    rebooting = evolve(faulty, reboots=2)
    assert apply(rebooting, report(GuestState.RUNNING, 3)).instance.fault == fault


def test_a_fault_is_written_into_the_history_once() -> None:
    said = report(GuestState.STOPPED, 1, fault=Fault(code=FaultCode.HYPERVISOR, generation=1, message="no"))
    once = apply(an_instance(), said)
    assert once.action == "fault"
    assert apply(once.instance, said) == Applied(instance=once.instance)


def test_a_host_speaks_only_of_what_it_holds() -> None:
    said = report(GuestState.RUNNING)
    assert owned_by(an_instance(), "host-1", said)
    assert not owned_by(an_instance(), "host-2", said)
    assert not owned_by(an_instance(placement_epoch=2), "host-1", said)


def test_what_ended_without_its_hosts_word_is_freed_when_the_host_confirms() -> None:
    lost = an_instance(desired=InstanceDesired.DELETED, generation=2, ended_at=400.0)
    first = apply(lost, report(GuestState.ABSENT, 2))
    assert first.gone
    assert first.instance.ended_at == 400.0
    assert not apply(first.instance, report(GuestState.ABSENT, 2)).gone


def test_what_was_given_back_once_stays_so_whatever_is_seen_of_the_guest() -> None:
    ended = an_instance(desired=InstanceDesired.DELETED, generation=2, ended_at=400.0,
                        observed=ObservedInstance(state=GuestState.ABSENT, generation=2))
    for state in (GuestState.UNKNOWN, GuestState.STOPPED, GuestState.ABSENT):
        assert apply(ended, report(state, 2)) == Applied(instance=ended)


def test_what_never_was_there_is_freed_too_when_a_lost_host_confirms() -> None:
    lost = an_instance(desired=InstanceDesired.DELETED, generation=2, ended_at=400.0,
                       observed=ObservedInstance(state=GuestState.ABSENT, generation=1))
    assert not apply(lost, report(GuestState.ABSENT, 1)).gone
    assert apply(lost, report(GuestState.ABSENT, 2)).gone


def test_only_what_waits_for_a_port_has_its_fault() -> None:
    fault = Fault(code=FaultCode.NETWORK, generation=1, message="No such network.", at=1.0)
    refused = a_port(observed=WiringState.ABSENT, fault=fault)
    for instance in (an_instance(), an_instance(desired=InstanceDesired.STOPPED, observed=DOWN),
                     an_instance(desired=InstanceDesired.DELETED, observed=DOWN)):
        assert unwirable(instance, [refused], 2.0) == Applied(instance=instance)
    for launched_at in (100.0, None):
        waiting = an_instance(generation=3, launched_at=launched_at, observed=DOWN)
        after = unwirable(waiting, [refused], 2.0).instance
        assert after.fault == evolve(fault, generation=3)
        assert unwirable(after, [refused], 3.0) == Applied(instance=after)
        wired = a_port(observed=WiringState.WIRED)
        assert unwirable(after, [evolve(refused, fault=None), wired], 4.0) == Applied(instance=after)
        recovered = unwirable(after, [wired], 5.0)
        assert (recovered.instance, recovered.action) == (evolve(waiting, updated_at=5.0), "recovered")
        other = evolve(after, fault=evolve(fault, code=FaultCode.IMAGE))
        assert unwirable(other, [wired], 5.0) == Applied(instance=other)
