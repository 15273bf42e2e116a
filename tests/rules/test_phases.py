"""Phases: every reachable state has an owner or is final, and says what a user would expect."""

from itertools import product

import pytest

from stackd.model.faults import Fault, FaultCode, Steady, Transition
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance, RebootKind
from stackd.model.networks import WiringState
from stackd.rules.ownership import CONDUCTOR, NOBODY, SCHEDULER, owner_of_instance
from stackd.rules.phases import phase_of
from stackd.testing.records import a_port, an_instance

RUNNING, STOPPED, DELETED = InstanceDesired.RUNNING, InstanceDesired.STOPPED, InstanceDesired.DELETED
FAULT = Fault(code=FaultCode.NO_CAPACITY, generation=1, message="no room")
NEW = {"launched_at": None, "observed": ObservedInstance()}


def observed(state: GuestState, generation: int = 1, reboots: int = 0) -> ObservedInstance:
    """What a host reported."""
    return ObservedInstance(state=state, generation=generation, reboots=reboots)


@pytest.mark.parametrize(("instance", "steady", "transition"), [
    (an_instance(**NEW, host=""), Steady.BUILDING, Transition.SCHEDULING),
    (an_instance(**NEW), Steady.BUILDING, Transition.SPAWNING),
    (an_instance(), Steady.ACTIVE, Transition.NONE),
    (an_instance(desired=STOPPED), Steady.ACTIVE, Transition.POWERING_OFF),
    (an_instance(desired=STOPPED, observed=observed(GuestState.STOPPED)), Steady.STOPPED, Transition.NONE),
    (an_instance(observed=observed(GuestState.STOPPED)), Steady.STOPPED, Transition.POWERING_ON),
    (an_instance(reboots=1), Steady.ACTIVE, Transition.REBOOTING),
    (an_instance(reboots=1, reboot_kind=RebootKind.HARD), Steady.ACTIVE, Transition.REBOOTING_HARD),
    (an_instance(reboots=1, observed=observed(GuestState.STOPPED)), Steady.STOPPED, Transition.REBOOTING),
    (an_instance(reboots=1, observed=observed(GuestState.RUNNING, reboots=1)), Steady.ACTIVE, Transition.NONE),
    (an_instance(desired=DELETED), Steady.ACTIVE, Transition.DELETING),
    (an_instance(desired=DELETED, ended_at=5.0), Steady.DELETED, Transition.NONE),
    (an_instance(**NEW, host="", fault=FAULT), Steady.ERROR, Transition.NONE),
])
def test_phase(instance: Instance, steady: Steady, transition: Transition) -> None:
    phase = phase_of(instance)
    assert (phase.steady, phase.transition) == (steady, transition)


def test_waiting_for_the_network_shows() -> None:
    assert phase_of(an_instance(**NEW), wired=False).transition is Transition.NETWORKING


def test_the_reason_is_the_faults() -> None:
    assert phase_of(an_instance(fault=FAULT)).reason == "no room"


@pytest.mark.parametrize(("desired", "state", "host", "fault", "ended", "reached"), list(product(
    InstanceDesired, GuestState, ("", "host-1"), (None, FAULT), (None, 5.0), (0, 1))))
def test_whatever_has_not_arrived_has_an_owner(desired: InstanceDesired, state: GuestState, host: str,
                                               fault: Fault | None, ended: float | None, reached: int) -> None:
    instance = an_instance(desired=desired, host=host, fault=fault, ended_at=ended,
                           observed=observed(state, reached))
    final = (ended is not None or (desired is not DELETED and fault is not None)
             or (desired is not DELETED and host != "" and reached == 1))
    assert (owner_of_instance(instance) == NOBODY) == final


def test_owners_take_turns() -> None:
    port = a_port(observed=WiringState.UNKNOWN)
    waiting = an_instance(observed=observed(GuestState.UNKNOWN, 0))
    assert owner_of_instance(an_instance(**NEW, host="")) == SCHEDULER
    assert owner_of_instance(waiting, (port,)) == "network@host-1"
    assert owner_of_instance(waiting) == "compute@host-1"
    assert owner_of_instance(an_instance(desired=DELETED, host="")) == CONDUCTOR
