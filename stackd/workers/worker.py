"""What the compute and the network worker share: a service made of a link to the cloud, a mouth and a work queue."""

import random

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from zope.interface import implementer

from stackd import errors
from stackd.interfaces.assignments import IAssignments
from stackd.interfaces.bus import IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.clock import Clock
from stackd.interfaces.measuring import IMeasured
from stackd.model.assignments import Assignments, Hello
from stackd.model.figures import Figure
from stackd.reconcile.queue import QueueSettings, WorkQueue
from stackd.workers.assigned import Assigned
from stackd.workers.reporter import Reporter
from stackd.workers.settings import WorkerSettings


@implementer(IMeasured)
class HostWorker(Service):
    """One worker of one host; subclasses say what is kept, held and reconciled."""

    kind = ""
    """``compute`` or ``network``."""

    def __init__(self, *, host: str, zone: str, assignments: IAssignments, bus: IMessageBus, clock: Clock,
                 randomness: random.Random, settings: WorkerSettings | None = None) -> None:
        """Nothing happens before the service starts; a driver is the subclass's own argument."""
        self.host = host
        self.zone = zone
        self.settings = settings or WorkerSettings()
        self.clock = clock
        self._bus = bus
        self._subscription: ISubscription | None = None
        self._serving: Deferred[None] | None = None
        self.assigned = Assigned(assignments=assignments, clock=clock, randomness=randomness, settings=self.settings,
                                 hello=self.introduction, held=self.held, take=self.take)
        self.reporter = Reporter(assignments=assignments, clock=clock, randomness=randomness, settings=self.settings,
                                 host=host, worker=self.kind, session=lambda: self.assigned.session)
        self.queue = WorkQueue(clock, self.reconcile, randomness, QueueSettings(
            concurrency=self.settings.concurrency, resync=self.settings.resync,
            backoff_first=self.settings.backoff_first, backoff_most=self.settings.backoff_most))

    # --- what a subclass is ---

    async def introduction(self) -> Hello:
        """Who this worker is."""
        return Hello(host=self.host, worker=self.kind, zone=self.zone)

    async def held(self) -> tuple[str, ...]:
        """The ids of what this host really has."""
        raise NotImplementedError

    async def take(self, fetched: Assignments) -> None:
        """Keep what was fetched and queue what it concerns."""
        raise NotImplementedError

    async def reconcile(self, key: str) -> float | None:
        """One round for a key of the queue."""
        raise NotImplementedError

    def endpoint(self) -> IEndpoint:
        """What is served on the bus."""
        raise NotImplementedError

    def figures(self) -> list[Figure]:
        """The queue of what is reconciled, and what is not told yet."""
        queue, labels = self.queue, {"worker": self.kind}

        def figure(name: str, words: str, value: float, total: bool = False) -> Figure:
            return Figure(name=f"reconcile_{name}", words=words, value=value, labels=labels, total=total)

        return [figure("known", "Resources that come round.", len(queue)),
                figure("waiting", "Resources that could be reconciled but wait for others to end.", queue.waiting),
                figure("running", "Resources that are reconciled now.", queue.running),
                figure("runs", "Rounds that ended.", queue.runs, total=True),
                figure("failures", "Rounds that ended by an error.", queue.failed, total=True),
                figure("words_waiting", "Observations not reported yet.", self.reporter.waiting),
                figure("introduced", "Workers whom a conductor has answered.", float(self.assigned.session > 0))]

    # --- the service ---

    def startService(self) -> None:
        """Serve the bus, fetch, and reconcile what comes."""
        super().startService()  # type: ignore[no-untyped-call]
        self._serving = Deferred.fromCoroutine(self._serve())
        self.reporter.start()
        self.queue.start()
        self.assigned.start()

    def stopService(self) -> "Deferred[None]":
        """Begin nothing more; fires when the steps under way have ended. Guests and wiring stay as they are."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _serve(self) -> None:
        try:
            self._subscription = await self._bus.serve(f"{self.kind}@{self.host}", self.endpoint())
        except errors.Unavailable:
            # Wakes are missed then, not truth: the heartbeat fetches.
            Logger().failure("{kind}@{host} cannot be served; the heartbeat goes on", kind=self.kind, host=self.host)

    async def _stop(self) -> None:
        stopping = [self.assigned.stop(), self.queue.stop()]
        if self._subscription is not None:
            stopping.append(self._subscription.stop())
        await gatherResults([Deferred.fromCoroutine(each) for each in stopping])
        await self.reporter.stop()
