"""The scheduler as a service: pending instances -> ranking -> claim, until none is left that fits.

It is woken by launches and by freed capacity, and looks by itself every few seconds. Hosts are kept in memory and
re-read every ``refresh`` seconds; staleness is harmless, for the claim decides. Instances of one shape are ranked
once. Losing a claim only means another look.
"""

from collections.abc import Iterable, Sequence
from random import Random

from attrs import evolve, frozen
from twisted.application.service import Service
from twisted.internet import defer
from twisted.logger import Logger
from zope.interface import implementer

from stackd.interfaces.bus import Body, IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.clock import Clock, DelayedCall
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Ranking
from stackd.rules.capacity import no_capacity
from stackd.rules.ownership import SCHEDULER
from stackd.store import hosts, placements
from stackd.store.database import Database
from stackd.store.placements import Choice, Pending

log = Logger()


@frozen(kw_only=True)
class SchedulerSettings:
    """Times in seconds. ``deadline`` is how long an instance may wait for a host before that is its fault."""

    deadline: float = 60.0
    interval: float = 5.0
    refresh: float = 2.0
    host_gone: float = 60.0
    batch: int = 64
    look_ahead: int = 2048
    sample: int = 200
    """How many hosts are ranked at first; all of them when none of these fits."""


@implementer(IEndpoint)
class SchedulerService(Service):
    """One scheduler; any number run side by side."""

    def __init__(self, database: Database, bus: IMessageBus, algorithm: ISchedulerAlgorithm, clock: Clock,
                 random: Random, settings: SchedulerSettings) -> None:
        """``random`` draws the sample of hosts."""
        self.calls: dict[str, object] = {}
        self._database = database
        self._bus = bus
        self._algorithm = algorithm
        self._clock = clock
        self._random = random
        self._settings = settings
        self._hosts: dict[str, Host] = {}
        self._read_at = float("-inf")
        self._again = False
        self._busy = False
        self._idle: list[defer.Deferred[None]] = []
        self._timer: DelayedCall | None = None
        self._subscription: ISubscription | None = None

    def startService(self) -> None:
        """Serve wakes and look at once."""
        super().startService()  # type: ignore[no-untyped-call]
        defer.ensureDeferred(self._serve())
        self.woken({})

    async def _serve(self) -> None:
        self._subscription = await self._bus.serve(SCHEDULER, self)

    def stopService(self) -> "defer.Deferred[None]":
        """Finish the running round."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        return defer.ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._subscription is not None:
            await self._subscription.stop()
        if self._busy:
            done: defer.Deferred[None] = defer.Deferred()
            self._idle.append(done)
            await done

    def woken(self, body: Body) -> None:
        """Something may need a host."""
        if not self.running:
            return
        self._again = True
        if not self._busy:
            self._busy = True
            defer.ensureDeferred(self._look())

    async def reported(self, body: Body) -> None:
        """Nobody reports to schedulers."""

    async def _look(self) -> None:
        try:
            while self._again and self.running:
                self._again = False
                await self.place_all()
        except Exception:
            log.failure("placing failed; it is tried again")
        finally:
            self._busy = False
            self._sleep()
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)

    def _sleep(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self.running:
            self._timer = self._clock.callLater(self._settings.interval, self.woken, {})

    async def place_all(self) -> None:
        """Place everything that fits now; give what is past its deadline its fault."""
        while True:
            waiting = await self._database.read(placements.pending, self._settings.look_ahead)
            if not waiting:
                return
            await self._refresh()
            choices, lost = self._choose(_whole(waiting, self._settings.look_ahead))
            won = await self._claim(choices)
            await self._fail(lost)
            if len(won) < len(choices):
                self._read_at = float("-inf")  # what we know of hosts was wrong: look at them again
            if not won or len(waiting) < self._settings.look_ahead:
                return

    async def _refresh(self) -> None:
        if self._clock.seconds() - self._read_at >= self._settings.refresh:
            found = await self._database.read(hosts.listed, self._settings.host_gone)
            self._hosts = {host.name: host for host in found}
            self._read_at = self._clock.seconds()

    def _choose(self, waiting: Sequence[Pending]) -> tuple[list[list[Choice]], list[tuple[Pending, str]]]:
        """Choices in groups that are claimed together, and those that found nothing, with the words."""
        choices: list[list[Choice]] = []
        lost: list[tuple[Pending, str]] = []
        rankings: dict[PlacementRequest, Ranking] = {}
        for group in _together(waiting):
            before = dict(self._hosts)
            chosen = [self._choose_one(one, rankings) for one in group]
            if all(isinstance(one, Choice) for one in chosen):
                choices.append([one for one in chosen if isinstance(one, Choice)])
                continue
            self._hosts = before
            why = next(one for one in chosen if isinstance(one, str))
            lost.extend((one, why) for one in group)
        return choices, lost

    def _choose_one(self, one: Pending, rankings: dict[PlacementRequest, Ranking]) -> Choice | str:
        """The best host that still has room by what is in memory, or why there is none."""
        key = evolve(one.request, image_properties=_Frozen(one.request.image_properties),
                     extra_specs=_Frozen(one.request.extra_specs))
        for fresh in (False, True):
            if fresh or key not in rankings:
                rankings[key] = self._rank(one.request)
            for name in [host.name for host in rankings[key].hosts[:16]]:
                host = self._hosts[name]
                if _fits(one.request, host):
                    self._hosts[name] = _used(one.request, host)
                    _rotate(rankings, key)
                    return Choice(pending=one, host=name)
        return no_capacity(rankings[key].refusals)

    def _rank(self, request: PlacementRequest) -> Ranking:
        everybody = list(self._hosts.values())
        if len(everybody) > self._settings.sample:
            ranking = self._algorithm.rank(request, self._random.sample(everybody, self._settings.sample))
            if ranking.hosts:
                return ranking
        return self._algorithm.rank(request, everybody)

    async def _claim(self, groups: Iterable[Sequence[Choice]]) -> frozenset[str]:
        won: frozenset[str] = frozenset()
        for batch in _batches(groups, self._settings.batch):
            won |= await self._database.write(placements.claim, batch, self._settings.host_gone)
        return won

    async def _fail(self, lost: Sequence[tuple[Pending, str]]) -> None:
        now = self._clock.seconds()
        late = [(one, why) for one, why in lost if now - one.created_at >= self._settings.deadline]
        if late:
            await self._database.write(placements.fail, late)


class _Frozen(dict[str, str]):
    """A mapping that can be part of a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def _rotate(rankings: dict[PlacementRequest, Ranking], key: PlacementRequest) -> None:
    """The host just chosen goes to the end: the next of this shape takes another."""
    ranked = rankings[key].hosts
    rankings[key] = evolve(rankings[key], hosts=(*ranked[1:], ranked[0]))


def _fits(request: PlacementRequest, host: Host) -> bool:
    return (host.used_vcpus + request.vcpus <= host.vcpus
            and host.used_memory_mib + request.memory_mib <= host.memory_mib
            and host.used_disk_gib + request.disk_gib <= host.disk_gib)


def _used(request: PlacementRequest, host: Host) -> Host:
    return evolve(host, used_vcpus=host.used_vcpus + request.vcpus,
                  used_memory_mib=host.used_memory_mib + request.memory_mib,
                  used_disk_gib=host.used_disk_gib + request.disk_gib, instances=host.instances + 1)


def _whole(waiting: Sequence[Pending], limit: int) -> Sequence[Pending]:
    """Without the last reservation when the page was full, for it may be cut; unless it is all there is."""
    if len(waiting) < limit:
        return waiting
    whole = [one for one in waiting if one.reservation_id != waiting[-1].reservation_id]
    return whole or waiting


def _together(waiting: Sequence[Pending]) -> list[list[Pending]]:
    """Groups to be placed at once or not at all: the first ``together`` of a reservation, others alone."""
    groups: dict[tuple[str, int], list[Pending]] = {}
    for one in waiting:
        key = -1 if one.launch_index < one.together else one.launch_index
        groups.setdefault((one.reservation_id, key), []).append(one)
    return list(groups.values())


def _batches(groups: Iterable[Sequence[Choice]], size: int) -> Iterable[list[Choice]]:
    """Groups gathered into batches of about ``size`` choices; a group is never split."""
    batch: list[Choice] = []
    for group in groups:
        if batch and len(batch) + len(group) > size:
            yield batch
            batch = []
        batch.extend(group)
    if batch:
        yield batch
