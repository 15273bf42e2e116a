"""The conductor as a service: serves ``conductor`` on the bus, keeps contacts, purges what ended long ago."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from stackd.conductor.assignments import StoredAssignments
from stackd.interfaces.bus import Body, IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.clock import Clock
from stackd.model import wire
from stackd.model.assignments import FetchRequest, Hello, Report
from stackd.rules.ownership import CONDUCTOR
from stackd.store import reported
from stackd.store.database import Database

log = Logger()


@implementer(IEndpoint)
class ConductorEndpoint:
    """``IAssignments`` as calls and reports over the bus."""

    def __init__(self, assignments: StoredAssignments) -> None:
        """``assignments`` does the work."""
        self._assignments = assignments
        self.calls = {"hello": self._hello, "fetch": self._fetch, "user_data": self._user_data}

    def woken(self, body: Body) -> None:
        """Nothing waits to be looked at."""

    async def reported(self, body: Body) -> None:
        """Apply one report; it is acknowledged when this returns."""
        await self._assignments.report(wire.load(Report, body))

    async def _hello(self, body: Body) -> int:
        return await self._assignments.hello(wire.load(Hello, body))

    async def _fetch(self, body: Body) -> Any:
        return wire.dump(await self._assignments.fetch(wire.load(FetchRequest, body)))

    async def _user_data(self, body: Body) -> str:
        return b64encode(await self._assignments.user_data(body["host"], body["instance_id"])).decode()


class ConductorService(Service):
    """One conductor."""

    def __init__(self, database: Database, bus: IMessageBus, assignments: StoredAssignments, clock: Clock,
                 keep_ended: float = 3600.0, host_gone: float = 60.0, contact_interval: float = 1.0,
                 lost_interval: float = 5.0, purge_interval: float = 60.0) -> None:
        """``keep_ended`` is how many seconds ended instances stay visible to EC2.

        After ``host_gone`` silent seconds of a host the instances deleted on it end without its word.
        """
        self._database = database
        self._bus = bus
        self._assignments = assignments
        self._keep_ended = keep_ended
        self._host_gone = host_gone
        self._clock = clock
        self._loops = ((self._loop(self._assignments.keep_contacts), contact_interval),
                       (self._loop(self._end_on_lost_hosts), lost_interval),
                       (self._loop(self._purge), purge_interval))
        self._subscription: ISubscription | None = None

    def _loop(self, work: Callable[[], Any]) -> LoopingCall:
        def run() -> "defer.Deferred[None]":
            return defer.ensureDeferred(work()).addErrback(
                lambda failure: log.failure("periodic work failed; it is tried again", failure=failure))

        loop = LoopingCall(run)
        loop.clock = self._clock  # type: ignore[assignment]
        return loop

    def startService(self) -> None:
        """Serve the bus and start the periodic work."""
        super().startService()  # type: ignore[no-untyped-call]
        defer.ensureDeferred(self._serve())
        for loop, interval in self._loops:
            loop.start(interval, now=False)

    async def _serve(self) -> None:
        self._subscription = await self._bus.serve(CONDUCTOR, ConductorEndpoint(self._assignments))

    def stopService(self) -> "defer.Deferred[None]":
        """Take no more messages; finish what runs."""
        super().stopService()  # type: ignore[no-untyped-call]
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()
        return defer.ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._subscription is not None:
            await self._subscription.stop()
        await self._assignments.keep_contacts()

    async def _end_on_lost_hosts(self) -> None:
        await self._database.write(reported.end_on_lost_hosts, self._host_gone)

    async def _purge(self) -> None:
        await self._database.write(reported.purge, self._clock.seconds() - self._keep_ended)
