"""What a host's report makes of an instance: pure, idempotent, and deaf to hosts that do not own the row."""

from collections.abc import Iterable

from attrs import evolve, frozen

from stackd.model.assignments import InstanceReport
from stackd.model.faults import Fault, FaultCode, Transition
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance, OnLaunchFault
from stackd.model.networks import Port
from stackd.rules.phases import all_wired, phase_of

_DOWN = (GuestState.ABSENT, GuestState.STOPPED, GuestState.CRASHED)


@frozen(kw_only=True)
class Applied:
    """The instance after a report, and the words for its history ('' when nothing worth telling changed)."""

    instance: Instance
    action: str = ""
    reason: str = ""
    gone: bool = False
    """It was observed gone for the first time: its capacity, ports and addresses are to be freed."""
    restamp: bool = False
    """Desired changed: its host must look again."""


def owned_by(instance: Instance, host: str, report: InstanceReport) -> bool:
    """Whether this host may speak about this row now."""
    return instance.host == host and instance.placement_epoch == report.epoch


def applied(instance: Instance, report: InstanceReport, now: float) -> Applied:
    """The instance with what was observed; ``now`` is the time of the transaction."""
    after = evolve(instance, observed=report.observed)
    if instance.ended_at is not None:
        return _confirmed(instance, after)
    if after.observed.state is GuestState.RUNNING and after.launched_at is None:
        after = evolve(after, launched_at=now)
    if report.fault is not None and report.fault.generation == instance.generation and report.fault != instance.fault:
        return _faulted(evolve(after, fault=report.fault), report.fault, now)
    if instance.desired is InstanceDesired.DELETED:
        return _deleting(after, now)
    if report.powered_off_itself and _was_ours_to_keep(instance, report):
        after = evolve(after, desired=InstanceDesired.STOPPED, generation=instance.generation + 1, updated_at=now)
        return Applied(instance=after, action="stop", reason="The guest powered itself off.", restamp=True)
    if _fault_is_over(after, report):
        return Applied(instance=evolve(after, fault=None, updated_at=now), action="recovered", restamp=True,
                       reason="It was reached after all.")
    return _compared(instance, after, now)


def _fault_is_over(after: Instance, report: InstanceReport) -> bool:
    """Whether the host says that the generation of a fault is reached nevertheless.

    That it tells no fault is not enough: the generation may have been reached before there was one, and workers of
    earlier releases forget faults when they start anew. The guest must be seen as it is desired.
    """
    return after.fault is not None and report.fault is None and after.observed.generation == after.generation \
        and phase_of(evolve(after, fault=None)).transition is Transition.NONE


def _was_ours_to_keep(instance: Instance, report: InstanceReport) -> bool:
    return instance.desired is InstanceDesired.RUNNING and report.observed.generation == instance.generation


def _deleting(after: Instance, now: float) -> Applied:
    if not seen_gone(after, after.observed):
        return Applied(instance=after)
    return Applied(instance=evolve(after, ended_at=now, updated_at=now), action="ended", gone=True)


def seen_gone(instance: Instance, observed: ObservedInstance) -> bool:
    """Whether a host saw that it is not there, knowing that it shall not be: it holds no room from then on."""
    return observed.state is GuestState.ABSENT and observed.generation == instance.generation


def _confirmed(before: Instance, after: Instance) -> Applied:
    """An instance that had ended without its host's word, for the host was gone: now it confirms, or not yet."""
    if seen_gone(before, before.observed):
        return Applied(instance=before)  # what was given back once stays so, whatever is seen of the guest
    gone = seen_gone(after, after.observed)
    return Applied(instance=after, action="confirmed" if gone else "", gone=gone)


def _faulted(after: Instance, fault: Fault, now: float) -> Applied:
    if after.launched_at is None and after.on_launch_fault is OnLaunchFault.TERMINATE \
            and after.desired is not InstanceDesired.DELETED:
        # EC2 has no error state: what never ran is taken away again and keeps saying why.
        after = evolve(after, desired=InstanceDesired.DELETED, generation=after.generation + 1)
        return Applied(instance=evolve(after, updated_at=now), action="fault", reason=fault.message, restamp=True)
    return Applied(instance=evolve(after, updated_at=now), action="fault", reason=fault.message)


def unwirable(instance: Instance, ports: Iterable[Port], now: float) -> Applied:
    """The instance after its ports were reported: one that waits for a port that cannot be wired has that fault.

    It has it no longer when all of them were wired after all.
    """
    held = tuple(ports)
    fault = next((port.fault for port in held if port.fault and port.fault.generation == port.generation), None)
    if instance.desired is not InstanceDesired.DELETED and instance.fault is not None \
            and instance.fault.code is FaultCode.NETWORK and all_wired(held):
        after = evolve(instance, fault=None, updated_at=now)
        return Applied(instance=after, action="recovered", reason="Its ports could be wired after all.")
    if fault is None or instance.fault is not None or not _waits_for_ports(instance):
        return Applied(instance=instance)
    return _faulted(evolve(instance, fault=evolve(fault, generation=instance.generation)), fault, now)


def _waits_for_ports(instance: Instance) -> bool:
    if instance.launched_at is None:
        return instance.desired is not InstanceDesired.DELETED
    return instance.desired is InstanceDesired.RUNNING and instance.observed.state in _DOWN


def _compared(before: Instance, after: Instance, now: float) -> Applied:
    if before.observed.state is not after.observed.state:
        return Applied(instance=evolve(after, updated_at=now), action="observed", reason=after.observed.state.value)
    if before.observed.generation != after.observed.generation:
        return Applied(instance=evolve(after, updated_at=now), action="reached")
    return Applied(instance=after)
