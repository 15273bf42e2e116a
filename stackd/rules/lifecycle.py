"""Which change of desired state an instance takes: each function gives the changed instance or raises WrongState.

Changing nothing is no error: the same instance comes back, its generation as it was. ``strict`` refuses that too,
as OpenStack's clients expect. A change raises the generation and clears the fault of the old one.
"""

from typing import Any

from attrs import evolve

from stackd import errors
from stackd.model import kinds
from stackd.model.faults import Steady
from stackd.model.instances import GuestState, Instance, InstanceDesired, RebootKind
from stackd.rules.phases import phase_of


def changed(instance: Instance, now: float, request_id: str, **fields: Any) -> Instance:
    """The instance with the next generation of what is desired."""
    return evolve(instance, generation=instance.generation + 1, fault=None, updated_at=now,
                  request_id=request_id, **fields)


def terminated(instance: Instance, now: float, request_id: str) -> Instance:
    """Deleted is desired; at once reached when no host ever had it. Terminating twice succeeds twice."""
    if instance.desired is InstanceDesired.DELETED:
        return instance
    return ended_unless_placed(changed(instance, now, request_id, desired=InstanceDesired.DELETED), now)


def ended_unless_placed(instance: Instance, now: float) -> Instance:
    """A deleted instance that was never placed has ended: there is no guest anywhere."""
    return instance if instance.host else evolve(instance, ended_at=now)


def stopped(instance: Instance, now: float, request_id: str, strict: bool) -> Instance:
    """Stopped is desired."""
    _demand_launched(instance, "stop")
    if instance.desired is InstanceDesired.STOPPED and instance.fault is None:
        if strict:
            raise _wrong(instance, "stop")
        return instance
    return changed(instance, now, request_id, desired=InstanceDesired.STOPPED)


def started(instance: Instance, now: float, request_id: str, strict: bool) -> Instance:
    """Running is desired."""
    _demand_launched(instance, "start")
    if instance.desired is InstanceDesired.RUNNING and instance.fault is None:
        if strict:
            raise _wrong(instance, "start")
        return instance
    return changed(instance, now, request_id, desired=InstanceDesired.RUNNING)


def rebooted(instance: Instance, now: float, request_id: str, kind: RebootKind) -> Instance:
    """One more reboot is desired; a hard one also brings up what is stopped or in error."""
    _demand_launched(instance, "reboot")
    up = instance.desired is InstanceDesired.RUNNING and instance.observed.state is GuestState.RUNNING \
        and instance.fault is None
    if kind is RebootKind.SOFT and not up:
        raise _wrong(instance, "reboot")
    return changed(instance, now, request_id, desired=InstanceDesired.RUNNING, reboot_kind=kind,
                   reboots=instance.reboots + 1)


def _demand_launched(instance: Instance, action: str) -> None:
    if instance.desired is InstanceDesired.DELETED or instance.launched_at is None:
        raise _wrong(instance, action)


def _wrong(instance: Instance, action: str) -> errors.WrongState:
    phase = phase_of(instance)
    word = "being deleted" if instance.desired is InstanceDesired.DELETED and phase.steady is not Steady.DELETED \
        else phase.steady.value
    return errors.WrongState(kinds.INSTANCE, instance.id, word, action)
