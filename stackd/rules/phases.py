"""Phases: where an instance stands, computed from desired, observed and fault; nothing can be stuck in one.

The same function is called when a row is written (the phase is stored beside it for filters and indexes only) and
by every view.
"""

from collections.abc import Iterable

from stackd.model.faults import Phase, Steady, Transition
from stackd.model.instances import GuestState, Instance, InstanceDesired, RebootKind
from stackd.model.networks import Port, PortDesired, WiringState

_STEADY = {
    GuestState.RUNNING: Steady.ACTIVE,
    GuestState.PAUSED: Steady.PAUSED,
    GuestState.STOPPED: Steady.STOPPED,
    GuestState.CRASHED: Steady.STOPPED,
    GuestState.ABSENT: Steady.STOPPED,
    GuestState.UNKNOWN: Steady.BUILDING,
}


def phase_of(instance: Instance, wired: bool = True) -> Phase:
    """(steady, transition, reason) of an instance; ``wired`` tells whether all its ports are, as far as is known."""
    if instance.desired is InstanceDesired.DELETED:
        return _deleted(instance)
    if instance.fault is not None:
        return Phase(Steady.ERROR, Transition.NONE, instance.fault.message)
    if instance.launched_at is None:
        return Phase(Steady.BUILDING, _building(instance, wired))
    return Phase(_STEADY[instance.observed.state], _changing(instance))


def steady_of(instance: Instance) -> Steady:
    """The last state reached, whatever is desired now."""
    if instance.launched_at is None:
        return Steady.BUILDING
    return _STEADY[instance.observed.state]


def all_wired(ports: Iterable[Port]) -> bool:
    """Whether every port that is to be wired is."""
    return all(port.observed is WiringState.WIRED or port.desired is not PortDesired.WIRED for port in ports)


def _deleted(instance: Instance) -> Phase:
    reason = instance.fault.message if instance.fault else ""
    if instance.ended_at is not None:
        return Phase(Steady.DELETED, Transition.NONE, reason)
    return Phase(steady_of(instance), Transition.DELETING, reason)


def _building(instance: Instance, wired: bool) -> Transition:
    if not instance.host:
        return Transition.SCHEDULING
    return Transition.SPAWNING if wired else Transition.NETWORKING


def _changing(instance: Instance) -> Transition:
    running = instance.observed.state is GuestState.RUNNING
    if instance.desired is InstanceDesired.STOPPED:
        return Transition.POWERING_OFF if running else Transition.NONE
    if instance.observed.reboots < instance.reboots:
        hard = instance.reboot_kind is RebootKind.HARD
        return Transition.REBOOTING_HARD if hard else Transition.REBOOTING
    return Transition.NONE if running else Transition.POWERING_ON
