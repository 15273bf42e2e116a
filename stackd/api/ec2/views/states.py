"""Phases in EC2's words: one table, complete over every steady state and transition, and the reasons beside it.

EC2 has no error state: what faulted before it ever ran is terminated by core, what faulted later shows stopped,
both with a StateReason.
"""

from stackd.model.faults import FaultCode, Phase, Steady, Transition
from stackd.model.instances import Instance, InstanceDesired

PENDING, RUNNING, SHUTTING_DOWN = (0, "pending"), (16, "running"), (32, "shutting-down")
TERMINATED, STOPPING, STOPPED = (48, "terminated"), (64, "stopping"), (80, "stopped")
State = tuple[int, str]

_AT_REST = {
    Steady.BUILDING: PENDING, Steady.ACTIVE: RUNNING, Steady.STOPPED: STOPPED, Steady.PAUSED: RUNNING,
    Steady.ERROR: STOPPED, Steady.DELETED: TERMINATED,
}
_UNDER_WAY = {
    Transition.SCHEDULING: PENDING, Transition.NETWORKING: PENDING, Transition.SPAWNING: PENDING,
    Transition.POWERING_ON: PENDING, Transition.POWERING_OFF: STOPPING, Transition.DELETING: SHUTTING_DOWN,
}


def _state(steady: Steady, transition: Transition) -> State:
    if steady is Steady.DELETED:
        return TERMINATED
    if transition in (Transition.REBOOTING, Transition.REBOOTING_HARD):
        # A reboot is invisible in EC2; only what is not up yet is on its way up.
        return RUNNING if steady in (Steady.ACTIVE, Steady.PAUSED) else PENDING
    return _UNDER_WAY.get(transition, _AT_REST[steady])


STATES: dict[tuple[Steady, Transition], State] = {
    (steady, transition): _state(steady, transition) for steady in Steady for transition in Transition}

FAULTS = {
    FaultCode.NO_CAPACITY: "Server.InsufficientInstanceCapacity",
    FaultCode.IMAGE: "Server.InternalError", FaultCode.NETWORK: "Server.InternalError",
    FaultCode.HYPERVISOR: "Server.InternalError", FaultCode.HOST_LOST: "Server.InternalError",
    FaultCode.INTERNAL: "Server.InternalError",
}
BY_USER = {"Code": "Client.UserInitiatedShutdown", "Message": "Client.UserInitiatedShutdown: User initiated shutdown"}


def state(phase: Phase | None) -> dict[str, object]:
    """The InstanceState of a phase; an instance nobody has looked at yet is pending."""
    code, name = STATES[phase.steady, phase.transition] if phase else PENDING
    return {"Code": code, "Name": name}


def reason(instance: Instance) -> dict[str, str] | None:
    """Why an instance is not running; None while it runs or is on its way."""
    fault = instance.fault
    if fault is not None:
        code = FAULTS[fault.code]
        return {"Code": code, "Message": f"{code}: {fault.message}"}
    return None if instance.desired is InstanceDesired.RUNNING else BY_USER


def is_up(instance: Instance) -> bool:
    """Whether EC2 calls it running."""
    phase = instance.phase
    return phase is not None and STATES[phase.steady, phase.transition] == RUNNING
