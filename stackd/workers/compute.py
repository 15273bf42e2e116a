"""The compute worker: looks at each guest of its host, asks the plan, performs one step, looks again, reports.

The plan is ``rules.plans.instance``; the steps are verbs of the hypervisor driver. A worker that dies anywhere is
replaced by a new one that looks: nothing of what is kept here is needed to go on.
"""

from typing import Any

from attrs import evolve, field, mutable
from twisted.logger import Logger

from stackd import errors
from stackd.interfaces.bus import IEndpoint
from stackd.interfaces.hypervisor import IHypervisor
from stackd.model.assignments import Assignments, Hello, InstanceAssignment, InstanceReport
from stackd.model.faults import Fault, FaultCode
from stackd.model.guests import Guest
from stackd.model.instances import GuestState, InstanceDesired, ObservedInstance
from stackd.rules.plans.instance import Step, Verb, next_step, reached
from stackd.workers.endpoint import WorkerEndpoint, compute_calls
from stackd.workers.resuming import Resuming
from stackd.workers.slots import Slots
from stackd.workers.specs import spec_of
from stackd.workers.worker import HostWorker

_log = Logger()

BUILDS = (Verb.PREPARE, Verb.START)
OURS = (FaultCode.IMAGE, FaultCode.HYPERVISOR)
"""The kinds of fault this worker finds; those of others are theirs to tell."""
MOST_STEPS = 6
"""More steps in one round mean that the guest does not stay as it is put; it is left alone for a while then."""


@mutable(eq=False)
class _Care:
    """What the worker knows of one instance; ``said`` is its last word, or the cloud's when it has not spoken yet.

    ``ran`` tells that the guest was seen running: the cloud learns of it from us, and does not tell it back at once.
    """

    assignment: InstanceAssignment
    said: ObservedInstance
    said_at: float
    fault: Fault | None = None
    gone_since: float | None = None
    ran: bool = False
    resuming: Resuming = field(factory=Resuming)

    @property
    def launched(self) -> bool:
        """Whether its disks may hold what its user wrote."""
        return self.ran or self.assignment.instance.launched_at is not None


class ComputeWorker(HostWorker):
    """Cares for the guests of one host."""

    kind = "compute"

    def __init__(self, *, hypervisor: IHypervisor, **shared: Any) -> None:
        """``shared`` are the arguments of :class:`HostWorker`."""
        super().__init__(**shared)
        self.hypervisor = hypervisor
        self._slots = Slots(self.settings.builds, self.queue.add)
        self._cares: dict[str, _Care] = {}
        self._moved: dict[str, int] = {}
        self._swept_at = float("-inf")
        self.unknown: tuple[str, ...] = ()
        """Ids of guests on this host that the cloud has never heard of; kept, for the operator to decide."""

    def endpoint(self) -> IEndpoint:
        """Wakes and console output."""
        return WorkerEndpoint(self.assigned.woken, compute_calls(self.hypervisor))

    async def introduction(self) -> Hello:
        """With what the host can carry."""
        return Hello(host=self.host, worker=self.kind, zone=self.zone, capacity=await self.hypervisor.capacity())

    async def held(self) -> tuple[str, ...]:
        """Every guest of ours on the host."""
        return tuple(guest.id for guest in await self.hypervisor.guests())

    # --- what is assigned ---

    async def take(self, fetched: Assignments) -> None:
        """Keep the rows and queue each; then see which guests changed by themselves."""
        if fetched.full:
            # What was told another incarnation of the cloud is to be told again.
            for id in list(self._cares):
                self._forget(id)
        for one in fetched.instances:
            self._keep(one)
        for id in fetched.ended:
            self._forget(id)
        for id, epoch in fetched.moved.items():
            if id not in self._cares:
                self._moved[id] = epoch
                self.queue.add(id)
        self._take_unknown(fetched.unknown)
        await self._sweep()

    def _keep(self, assignment: InstanceAssignment) -> None:
        instance = assignment.instance
        self._moved.pop(instance.id, None)
        care = self._cares.get(instance.id)
        if care is None:
            care = self._cares[instance.id] = _Care(assignment, instance.observed, self.clock.seconds())
            if instance.fault is not None and instance.fault.code in OURS:
                # What a worker before this one found is told on until its generation is reached.
                care.fault = instance.fault
        care.assignment = assignment
        if care.fault is not None and care.fault.generation != instance.generation:
            care.fault = None
        self.queue.add(instance.id)

    def _forget(self, id: str) -> None:
        self._slots.forgo(id)
        self._cares.pop(id, None)
        self._moved.pop(id, None)
        self.queue.forget(id)

    def _take_unknown(self, unknown: tuple[str, ...]) -> None:
        if unknown and unknown != self.unknown:
            _log.warn("{host} has guests the cloud does not know; they are kept: {ids}", host=self.host, ids=unknown)
        # Only a fetch that says what is held asks for strangers; those that became known are none any more.
        self.unknown = unknown or tuple(id for id in self.unknown if id not in self._cares)

    async def _sweep(self) -> None:
        """One look at all guests each heartbeat: those whose power changed since it was last told are queued."""
        if self.clock.seconds() - self._swept_at < self.settings.heartbeat:
            return
        self._swept_at = self.clock.seconds()
        for guest in await self.hypervisor.guests():
            care = self._cares.get(guest.id)
            if care is not None and _differs(evolve(care.said, state=guest.state), care.said):
                self.queue.add(guest.id)

    # --- one instance ---

    async def reconcile(self, key: str) -> float | None:
        """Step after step until nothing is left to do, or others must act first."""
        if key in self._moved:
            await self._remove_moved(key)
            return None
        for _ in range(MOST_STEPS):
            care = self._cares.get(key)
            if care is None:
                self.queue.forget(key)
                return None
            guest = await self.hypervisor.look(key)
            care.ran = care.ran or guest.state is GuestState.RUNNING
            assignment = care.assignment
            step = self._step(care, guest)
            if step.verb not in BUILDS:
                self._slots.forgo(key)
            if step.verb in (Verb.NOTHING, Verb.WAIT) or not self.running:
                return self._rest(care, guest, step)
            if step.verb in BUILDS and not self._slots.take(key):
                return self._rest(care, guest, Step(Verb.WAIT, "others are being built first"))
            try:
                await self._perform(care, guest, step.verb)
            except (errors.PermanentFailure, errors.NotSupported) as failure:
                self._failed(assignment, guest, step.verb, failure)
            finally:
                if step.verb in BUILDS:
                    self._slots.give_back()
        raise errors.TransientFailure(f"The guest of instance {key} does not stay as it is put.")

    def _step(self, care: _Care, guest: Guest) -> Step:
        if went_down_itself(care.assignment, care.said, guest):
            return Step(Verb.WAIT, "it powered itself off; the cloud decides what that means")
        known = care.assignment
        if care.fault is not None:
            known = evolve(known, instance=evolve(known.instance, fault=care.fault))
        now = self.clock.seconds()
        step = next_step(known, guest, now, self.settings.plan)
        if guest.state is GuestState.PAUSED and step.verb is Verb.START and (left := care.resuming.left(now)):
            return Step(Verb.WAIT, "it is paused, and goes on after a while", left)
        return step

    async def _perform(self, care: _Care, guest: Guest, verb: Verb) -> None:
        assignment, hypervisor = care.assignment, self.hypervisor
        id = assignment.instance.id
        if verb is Verb.PREPARE:
            if care.launched:
                raise errors.PermanentFailure(
                    "Its disk is not on its host any more.",
                    remedy="Put back what the host had and start it, or delete it and launch another.")
            await hypervisor.prepare(spec_of(assignment))
        elif verb is Verb.START:
            if guest.state is GuestState.PAUSED:
                care.resuming.tried(self.clock.seconds())
            await hypervisor.start(spec_of(assignment))
        elif verb is Verb.SHUTDOWN:
            await hypervisor.shutdown(id, self.clock.seconds(), assignment.instance.generation)
        elif verb is Verb.DESTROY:
            await hypervisor.destroy(id)
        else:
            await hypervisor.remove(id)

    async def _remove_moved(self, id: str) -> None:
        guest = await self.hypervisor.look(id)
        if guest.epoch <= self._moved[id]:
            _log.info("The instance {id} lives on another host now; what is left of it here is removed", id=id)
            await self.hypervisor.remove(id)
        self._forget(id)

    # --- what is told ---

    def _rest(self, care: _Care, guest: Guest, step: Step) -> float | None:
        """Tell what is to be told; when to look again."""
        self._tell(care, guest)
        if care.assignment.instance.desired is InstanceDesired.DELETED and step.verb is Verb.NOTHING:
            return self._look_twice(care, guest)
        if step.delay is not None:
            return min(step.delay, self.settings.poll)
        return None

    def _look_twice(self, care: _Care, guest: Guest) -> float | None:
        """What is gone is looked at and told once more before it is forgotten."""
        now = self.clock.seconds()
        if care.gone_since is None:
            care.gone_since = now
        left = care.gone_since + self.settings.second_look - now
        if left > 0:
            return left
        self._tell(care, guest, again=True)
        self._forget(care.assignment.instance.id)
        return None

    def _tell(self, care: _Care, guest: Guest, *, again: bool = False) -> None:
        """Report the guest if that says anything new, or was last said long ago."""
        instance, now = care.assignment.instance, self.clock.seconds()
        itself = went_down_itself(care.assignment, care.said, guest)
        generation = care.said.generation
        if reached(instance, guest):
            again = again or care.fault is not None
            generation, care.fault = instance.generation, None
        seen = ObservedInstance(state=guest.state, generation=generation, reboots=guest.reboots, at=now)
        if again or now - care.said_at >= self.settings.tell_again or _differs(seen, care.said):
            self._say(care, seen, itself)

    def _say(self, care: _Care, seen: ObservedInstance, itself: bool = False) -> None:
        instance = care.assignment.instance
        # Of its own going down the worker keeps the old word, so that it waits until the cloud has decided.
        care.said, care.said_at = care.said if itself else seen, self.clock.seconds()
        self.reporter.say(InstanceReport(id=instance.id, epoch=instance.placement_epoch, observed=seen,
                                         fault=care.fault, powered_off_itself=itself))

    def _failed(self, assignment: InstanceAssignment, guest: Guest, verb: Verb, failure: errors.StackdError) -> None:
        """Tell why this generation cannot be reached; deleting goes on trying nevertheless."""
        instance, now = assignment.instance, self.clock.seconds()
        _log.warn("{id}: {failure}", id=instance.id, failure=str(failure))
        care = self._cares.get(instance.id)
        if care is None or care.assignment.instance.generation != instance.generation:
            return  # something else is desired meanwhile, and may well be reached
        # What fails for good while disks are first made is the image: its bytes, its format, its size.
        first = verb is Verb.PREPARE and not care.launched
        code = FaultCode.IMAGE if first else FaultCode.HYPERVISOR
        care.fault = Fault(code=code, generation=instance.generation, message=str(failure),
                           detail=repr(failure), at=now)
        self._say(care, evolve(care.said, state=guest.state, reboots=guest.reboots, at=now))
        if instance.desired is InstanceDesired.DELETED:
            raise failure


def went_down_itself(assignment: InstanceAssignment, said: ObservedInstance, guest: Guest) -> bool:
    """Whether a guest that ran as desired is stopped, and nobody of us asked it to."""
    instance = assignment.instance
    return (instance.desired is InstanceDesired.RUNNING and guest.state is GuestState.STOPPED
            and guest.shutdown_at is None and said.state is GuestState.RUNNING
            and said.generation == instance.generation)


def _differs(seen: ObservedInstance, said: ObservedInstance) -> bool:
    if said.state is GuestState.UNKNOWN and seen.state is GuestState.ABSENT:
        return seen.generation != said.generation  # that nothing is there yet says nothing new
    return (seen.state, seen.generation, seen.reboots) != (said.state, said.generation, said.reboots)
