"""The whole life of an instance on its host as one table: desired x observed -> the next step.

The compute worker looks at the guest, asks :func:`next_step`, performs that one step and looks again. A crash
anywhere leaves a state that is simply another cell, so there is no code for recovery. A reboot is no operation of
its own: a running guest that has not reached the desired number of reboots is stopped, and every start writes the
desired number into the guest's metadata.
"""

from collections.abc import Callable
from enum import Enum

from attrs import frozen

from stackd.model.assignments import InstanceAssignment
from stackd.model.guests import Guest
from stackd.model.instances import GuestState, Instance, InstanceDesired, RebootKind
from stackd.model.networks import PortDesired, WiringState


class Verb(Enum):
    """What the worker does next; all but NOTHING and WAIT are verbs of ``IHypervisor``."""

    NOTHING = "nothing"
    """Observed matches desired."""
    WAIT = "wait"
    """Somebody else acts first, or the guest is shutting down by itself."""
    PREPARE = "prepare"
    START = "start"
    SHUTDOWN = "shutdown"
    DESTROY = "destroy"
    REMOVE = "remove"


@frozen
class Step:
    """One step and why; ``delay`` tells a WAIT when to look again at the latest (seconds), None: when woken."""

    verb: Verb
    reason: str
    delay: float | None = None


@frozen(kw_only=True)
class PlanSettings:
    """``shutdown_grace`` is how many seconds a guest has to shut down before its power is cut."""

    shutdown_grace: float = 60.0


_Rule = Callable[[InstanceAssignment, Guest, float, PlanSettings], Step]


def next_step(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    """The one next step towards what is desired; ``now`` in epoch seconds."""
    instance = assignment.instance
    if instance.fault is not None and instance.desired is not InstanceDesired.DELETED:
        return Step(Verb.NOTHING, "this generation cannot be reached; a new request clears the fault")
    return TABLE[instance.desired, guest.state](assignment, guest, now, settings)


def unwired_ports(assignment: InstanceAssignment) -> tuple[str, ...]:
    """The ids of ports the network worker of this host has yet to wire."""
    host = assignment.instance.host
    return tuple(port.id for port in assignment.ports if port.desired is PortDesired.WIRED and not (
        port.observed is WiringState.WIRED and port.host == host))


def _bring_up(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    if not guest.prepared:
        return Step(Verb.PREPARE, "its disks are to be made")
    if unwired_ports(assignment):
        return Step(Verb.WAIT, "the network worker wires its ports first")
    return Step(Verb.START, "it is to run")


def _keep_running(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    instance = assignment.instance
    if guest.reboots < instance.reboots:
        if instance.reboot_kind is RebootKind.HARD:
            return Step(Verb.DESTROY, "a hard reboot is asked for")
        return _ask_down(instance, guest, now, settings, "a reboot is asked for")
    if guest.shutdown_at is None:
        return Step(Verb.NOTHING, "it runs")
    left = guest.shutdown_at + settings.shutdown_grace - now
    if 0 < left <= settings.shutdown_grace:
        return Step(Verb.WAIT, "it was asked to shut down before, and may still do so", left)
    return Step(Verb.START, "it was asked to shut down before, and runs on; that it was asked is forgotten")


def _take_down(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    return _ask_down(assignment.instance, guest, now, settings, "it is to be stopped")


def _ask_down(instance: Instance, guest: Guest, now: float, settings: PlanSettings, why: str) -> Step:
    # What an earlier generation asked gives this one no right to cut; a mark of the future is of a clock set back.
    if guest.shutdown_at is None or guest.shutdown_generation != instance.generation or guest.shutdown_at > now:
        return Step(Verb.SHUTDOWN, why)
    left = guest.shutdown_at + settings.shutdown_grace - now
    if left > 0:
        return Step(Verb.WAIT, "the guest shuts down", left)
    return Step(Verb.DESTROY, f"the guest did not shut down within {settings.shutdown_grace:.0f} seconds")


def _cut(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    return Step(Verb.DESTROY, "it is paused or crashed")


def _go_on(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    if guest.reboots < assignment.instance.reboots:
        return Step(Verb.DESTROY, "a reboot is asked for, and what is paused cannot be asked to shut down")
    # Most likely its host has no room for what it wrote: that passes, and with its power cut it would be lost.
    return Step(Verb.START, "it is paused, and is to run")


def _make_stopped(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    if not guest.prepared:
        return Step(Verb.PREPARE, "its disks are to be made")
    return Step(Verb.NOTHING, "it is stopped")


def _remove(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    # Cutting the power without asking is what both APIs document for a delete.
    return Step(Verb.REMOVE, "it is to be deleted")


def _gone(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    if guest.prepared:
        return Step(Verb.REMOVE, "its disks are to be deleted")
    return Step(Verb.NOTHING, "it is gone")


def _look_first(assignment: InstanceAssignment, guest: Guest, now: float, settings: PlanSettings) -> Step:
    return Step(Verb.WAIT, "the hypervisor could not say how it is", 1.0)


_R, _S, _D = InstanceDesired.RUNNING, InstanceDesired.STOPPED, InstanceDesired.DELETED

TABLE: dict[tuple[InstanceDesired, GuestState], _Rule] = {
    (_R, GuestState.UNKNOWN): _look_first,
    (_R, GuestState.ABSENT): _bring_up,
    (_R, GuestState.STOPPED): _bring_up,
    (_R, GuestState.RUNNING): _keep_running,
    (_R, GuestState.PAUSED): _go_on,
    (_R, GuestState.CRASHED): _cut,
    (_S, GuestState.UNKNOWN): _look_first,
    (_S, GuestState.ABSENT): _make_stopped,
    (_S, GuestState.STOPPED): _make_stopped,
    (_S, GuestState.RUNNING): _take_down,
    (_S, GuestState.PAUSED): _cut,
    (_S, GuestState.CRASHED): _cut,
    (_D, GuestState.UNKNOWN): _look_first,
    (_D, GuestState.ABSENT): _gone,
    (_D, GuestState.STOPPED): _remove,
    (_D, GuestState.RUNNING): _remove,
    (_D, GuestState.PAUSED): _remove,
    (_D, GuestState.CRASHED): _remove,
}


def reached(instance: Instance, guest: Guest) -> bool:
    """Whether what a look shows is all that is desired, and none of our own shutdowns may still undo it."""
    if instance.desired is InstanceDesired.DELETED:
        return guest.state is GuestState.ABSENT and not guest.prepared
    if instance.desired is InstanceDesired.STOPPED:
        return guest.prepared and guest.state in (GuestState.STOPPED, GuestState.ABSENT)
    return guest.state is GuestState.RUNNING and guest.reboots >= instance.reboots and guest.shutdown_at is None
