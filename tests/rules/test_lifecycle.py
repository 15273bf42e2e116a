"""Which actions an instance takes in which state."""

from collections.abc import Callable

import pytest

from stackd.errors import WrongState
from stackd.model.faults import Fault, FaultCode
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance, RebootKind
from stackd.rules import lifecycle
from stackd.testing.records import an_instance

STOPPED = an_instance(desired=InstanceDesired.STOPPED, observed=ObservedInstance(state=GuestState.STOPPED))
BUILDING = an_instance(launched_at=None, observed=ObservedInstance())
GOING = an_instance(desired=InstanceDesired.DELETED)
FAULT = Fault(code=FaultCode.HYPERVISOR, generation=1, message="no")

ACTIONS: dict[str, Callable[[Instance], Instance]] = {
    "stop": lambda one: lifecycle.stopped(one, 9.0, "req", strict=True),
    "start": lambda one: lifecycle.started(one, 9.0, "req", strict=True),
    "soft reboot": lambda one: lifecycle.rebooted(one, 9.0, "req", RebootKind.SOFT),
    "hard reboot": lambda one: lifecycle.rebooted(one, 9.0, "req", RebootKind.HARD),
}


@pytest.mark.parametrize(("instance", "refused"), [
    (an_instance(), {"start"}),
    (STOPPED, {"stop", "soft reboot"}),
    (BUILDING, set(ACTIONS)),
    (GOING, set(ACTIONS)),
    (an_instance(fault=FAULT), {"soft reboot"}),
])
def test_refused_actions(instance: Instance, refused: set[str]) -> None:
    found = set()
    for name, act in ACTIONS.items():
        try:
            assert act(instance).generation == instance.generation + 1
        except WrongState:
            found.add(name)
    assert found == refused


def test_asking_again_changes_nothing_unless_strict() -> None:
    assert lifecycle.stopped(STOPPED, 9.0, "req", strict=False) is STOPPED
    assert lifecycle.started(an_instance(), 9.0, "req", strict=False).generation == 1


def test_terminating_twice_succeeds_twice() -> None:
    gone = lifecycle.terminated(an_instance(), 9.0, "req")
    assert gone.desired is InstanceDesired.DELETED
    assert gone.ended_at is None
    assert lifecycle.terminated(gone, 10.0, "req") is gone


def test_what_was_never_placed_has_ended_when_terminated() -> None:
    assert lifecycle.terminated(an_instance(host="", launched_at=None), 9.0, "req").ended_at == 9.0


def test_an_action_clears_the_fault_of_the_generation_before() -> None:
    assert lifecycle.stopped(an_instance(fault=FAULT), 9.0, "req", strict=True).fault is None
