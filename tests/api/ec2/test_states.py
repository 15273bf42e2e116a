"""Phases in EC2's words."""

import pytest

from stackd.api.ec2.views import states
from stackd.model.faults import Fault, FaultCode, Phase, Steady, Transition
from stackd.model.instances import InstanceDesired
from stackd.testing.cloudends import instance


def test_the_table_is_complete():
    """Every steady state with every transition; and only the six states there are."""
    assert set(states.STATES) == {(steady, transition) for steady in Steady for transition in Transition}
    assert set(states.STATES.values()) == {(0, "pending"), (16, "running"), (32, "shutting-down"), (48, "terminated"),
                                           (64, "stopping"), (80, "stopped")}


@pytest.mark.parametrize("steady, transition, name", [
    (Steady.BUILDING, Transition.SCHEDULING, "pending"), (Steady.BUILDING, Transition.NETWORKING, "pending"),
    (Steady.BUILDING, Transition.SPAWNING, "pending"), (Steady.BUILDING, Transition.NONE, "pending"),
    (Steady.BUILDING, Transition.DELETING, "shutting-down"), (Steady.ACTIVE, Transition.NONE, "running"),
    (Steady.ACTIVE, Transition.REBOOTING, "running"), (Steady.ACTIVE, Transition.REBOOTING_HARD, "running"),
    (Steady.ACTIVE, Transition.POWERING_OFF, "stopping"), (Steady.ACTIVE, Transition.DELETING, "shutting-down"),
    (Steady.STOPPED, Transition.NONE, "stopped"), (Steady.STOPPED, Transition.POWERING_ON, "pending"),
    (Steady.STOPPED, Transition.REBOOTING_HARD, "pending"), (Steady.STOPPED, Transition.DELETING, "shutting-down"),
    (Steady.PAUSED, Transition.NONE, "running"), (Steady.ERROR, Transition.NONE, "stopped"),
    (Steady.ERROR, Transition.DELETING, "shutting-down"), (Steady.DELETED, Transition.NONE, "terminated"),
    (Steady.DELETED, Transition.DELETING, "terminated"),
])
def test_states(steady, transition, name):
    """As a user expects them."""
    assert states.state(Phase(steady, transition))["Name"] == name


def test_an_instance_nobody_looked_at_is_pending():
    """Its phase is not known yet."""
    assert states.state(None) == {"Code": 0, "Name": "pending"}


@pytest.mark.parametrize("code", FaultCode)
def test_every_fault_has_a_reason(code):
    """In the form AWS writes: the code, then the words."""
    reason = states.reason(instance("i", "", fault=Fault(code=code, generation=1, message="No host has room.")))
    assert reason["Code"].startswith("Server.") and reason["Message"] == f"{reason['Code']}: No host has room."
    assert (reason["Code"] == "Server.InsufficientInstanceCapacity") == (code is FaultCode.NO_CAPACITY)


@pytest.mark.parametrize("desired, code", [(InstanceDesired.RUNNING, None),
                                           (InstanceDesired.STOPPED, "Client.UserInitiatedShutdown"),
                                           (InstanceDesired.DELETED, "Client.UserInitiatedShutdown")])
def test_reasons_without_a_fault(desired, code):
    """What runs needs none."""
    reason = states.reason(instance("i", "", desired=desired))
    assert (reason and reason["Code"]) == code
