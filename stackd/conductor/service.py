"""The conductor as a service: serves ``conductor`` on the bus, keeps contacts, purges what ended long ago."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from attrs import evolve
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from stackd import errors
from stackd.conductor.assignments import StoredAssignments
from stackd.interfaces.bus import LARGEST, Body, IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.clock import Clock
from stackd.interfaces.measuring import IMeasured
from stackd.model import wire
from stackd.model.assignments import FetchRequest, Hello, Report
from stackd.model.figures import Figure
from stackd.rules.ownership import CONDUCTOR
from stackd.store import fencing, groups, hosts, reported
from stackd.store.database import Database
from stackd.store.stamps import MOMENT

log = Logger()

LARGEST_PAGE = LARGEST * 3 // 4
"""Bytes of one page of assignments; the rest is room for what is wrapped around it."""


@implementer(IEndpoint)
class ConductorEndpoint:
    """``IAssignments`` as calls and reports over the bus."""

    def __init__(self, assignments: StoredAssignments, woken: Callable[[], None]) -> None:
        """``assignments`` does the work; ``woken`` is called when something waits to be told to hosts."""
        self._assignments = assignments
        self._woken = woken
        self.calls = {"hello": self._hello, "fetch": self._fetch, "user_data": self._user_data}

    def woken(self, body: Body) -> None:
        """Members of groups have changed."""
        self._woken()

    async def reported(self, body: Body) -> None:
        """Apply one report; it is acknowledged when this returns."""
        await self._assignments.report(wire.load(Report, body))

    async def _hello(self, body: Body) -> int:
        return await self._assignments.hello(wire.load(Hello, body))

    async def _fetch(self, body: Body) -> Any:
        """A page that the bus carries: one that is too large is put together again with fewer rows."""
        request = wire.load(FetchRequest, body)
        while True:
            page = await self._assignments.fetch(request)
            answer = wire.dump(page)
            size = len(orjson.dumps(answer))
            if size <= LARGEST_PAGE or request.most == 1:
                return answer
            request = evolve(request, most=max(1, min(request.most // 2, page.rows * LARGEST_PAGE // size)))

    async def _user_data(self, body: Body) -> str:
        instance_id = body.get("instance_id")
        if not isinstance(instance_id, str):
            raise errors.Malformed("A call for user data names no instance.")
        return b64encode(await self._assignments.user_data(body["host"], instance_id)).decode()


@implementer(IMeasured)
class ConductorService(Service):
    """One conductor."""

    def __init__(self, database: Database, bus: IMessageBus, assignments: StoredAssignments, clock: Clock,
                 keep_ended: float = 3600.0, host_gone: float = 60.0, contact_interval: float = 1.0,
                 members_interval: float = MOMENT, lost_interval: float = 5.0, tidy_interval: float = 60.0) -> None:
        """``keep_ended`` is how many seconds ended instances stay visible to EC2.

        After ``host_gone`` silent seconds of a host the instances deleted on it end without its word; what they held is
        given back too if the host was removed. Hosts are told of members of groups that come and go once each
        ``members_interval``.
        """
        self._database = database
        self._bus = bus
        self._assignments = assignments
        self._clock = clock
        # Each by itself: one that fails keeps no other from its work.
        self._loops = tuple((self._loop(work), interval) for work, interval in (
            (self._assignments.keep_contacts, contact_interval),
            (partial(database.write, reported.end_on_lost_hosts, host_gone), lost_interval),
            (partial(database.write, fencing.fence, host_gone), lost_interval),
            (partial(database.write, groups.tell_members), lost_interval),  # the wake may have been lost
            (partial(database.write, reported.purge, keep_ended), tidy_interval),
            (self._recount, tidy_interval)))
        self._members = self._loop(self._tell_members)
        self._members_interval = members_interval
        self._members_noted = False
        self._subscription: ISubscription | None = None

    def _loop(self, work: Callable[[], Any]) -> LoopingCall:
        def run() -> "defer.Deferred[None]":
            return defer.ensureDeferred(work()).addErrback(
                lambda failure: log.failure("periodic work failed; it is tried again", failure=failure))

        loop = LoopingCall(run)
        loop.clock = self._clock  # type: ignore[assignment]
        return loop

    def figures(self) -> list[Figure]:
        """Of what hosts ask and tell."""
        return self._assignments.figures()

    def startService(self) -> None:
        """Serve the bus and start the periodic work."""
        super().startService()  # type: ignore[no-untyped-call]
        defer.ensureDeferred(self._serve())
        for loop, interval in self._loops:
            loop.start(interval, now=False)

    async def _serve(self) -> None:
        endpoint = ConductorEndpoint(self._assignments, self._members_changed)
        self._subscription = await self._bus.serve(CONDUCTOR, endpoint)

    def _members_changed(self) -> None:
        """Tell the hosts in a moment, and go on until nothing is left to be told."""
        self._members_noted = True
        if self.running and not self._members.running:
            self._members.start(self._members_interval, now=False)

    def stopService(self) -> "defer.Deferred[None]":
        """Take no more messages; finish what runs."""
        super().stopService()  # type: ignore[no-untyped-call]
        for loop in (self._members, *(loop for loop, _ in self._loops)):
            if loop.running:
                loop.stop()
        return defer.ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._subscription is not None:
            await self._subscription.stop()
        await self._assignments.keep_contacts()

    async def _tell_members(self) -> None:
        self._members_noted = False
        told = await self._database.write(groups.tell_members)
        if not (told or self._members_noted) and self._members.running:
            self._members.stop()

    async def _recount(self) -> None:
        for host in await self._database.write(hosts.recount):
            log.critical("what is claimed of {host} was not what its instances hold; it was counted anew", host=host)
