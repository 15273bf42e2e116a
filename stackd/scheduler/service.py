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
from stackd.interfaces.measuring import IMeasured
from stackd.interfaces.scheduling import ISchedulerAlgorithm
from stackd.model.figures import Figure
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest, Ranking
from stackd.rules.capacity import no_capacity
from stackd.rules.outages import deaf
from stackd.rules.ownership import SCHEDULER
from stackd.store import hosts, placements
from stackd.store.database import Database
from stackd.store.placements import Choice, Claimed, Pending

log = Logger()


@frozen(kw_only=True)
class SchedulerSettings:
    """Times in seconds. ``deadline`` is how long an instance may wait for a host before that is its fault."""

    deadline: float = 60.0
    interval: float = 5.0
    refresh: float = 2.0
    host_gone: float = 60.0
    batch: int = 64
    look_ahead: int = 128
    sample: int = 200
    """How many hosts are ranked at first; all of them when none of these fits."""


@implementer(IEndpoint, IMeasured)
class SchedulerService(Service):
    """One scheduler; any number run side by side."""

    def __init__(self, database: Database, bus: IMessageBus, algorithm: ISchedulerAlgorithm, clock: Clock,
                 random: Random, settings: SchedulerSettings) -> None:
        """``random`` draws the sample of hosts, and where among the waiting to begin."""
        self.calls: dict[str, object] = {}
        self._database = database
        self._bus = bus
        self._algorithm = algorithm
        self._clock = clock
        self._random = random
        self._settings = settings
        self._start = self._anywhere()
        self._listing = hosts.Listing()
        self._hosts: dict[str, Host] = {}
        self._read_at = float("-inf")
        self._looked_at = 0.0
        self._hears = True
        self._hearing_since = float("-inf")
        self._again = False
        self._busy = False
        self._idle: list[defer.Deferred[None]] = []
        self._timer: DelayedCall | None = None
        self._subscription: ISubscription | None = None
        self._pending = self._placed = self._lost = self._failed = 0

    def figures(self) -> list[Figure]:
        """What was placed and what was not."""
        return [
            Figure(name="scheduler_pending", words="Instances without a host at the last look; at most a page of them.",
                   value=self._pending),
            Figure(name="scheduler_hosts", words="Hosts at the last look.", value=len(self._hosts)),
            Figure(name="scheduler_placements", words="Instances given a host.", value=self._placed, total=True),
            Figure(name="scheduler_lost_claims", words="Choices that were overtaken by others or by a change.",
                   value=self._lost, total=True),
            Figure(name="scheduler_failures", words="Instances for which there was no room until their deadline.",
                   value=self._failed, total=True)]

    def startService(self) -> None:
        """Serve wakes and look at once."""
        super().startService()  # type: ignore[no-untyped-call]
        self._looked_at = self._clock.seconds()
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
        """Place everything that fits now; give what is past its deadline its fault.

        It ends when it came round without placing any: pages full of what fits nowhere hold up nobody behind them.
        """
        in_vain: set[str] = set()
        while self.running:
            # The reactor goes on with other things meanwhile, for this is done in a thread.
            waiting = await self._database.read(placements.pending, self._settings.look_ahead, self._start)
            self._pending = len(waiting)
            self._note_gap()
            if not waiting:
                return
            await self._refresh()
            more = len(waiting) >= self._settings.look_ahead
            self._start = _behind(waiting[-1].reservation_id)
            moved = await self._place(_together(self._in_turn(waiting, more)), more)
            seen = {one.reservation_id for one in waiting}
            if not more or not (moved or seen - in_vain):
                return
            in_vain = set() if moved else in_vain | seen

    def _in_turn(self, waiting: Sequence[Pending], more: bool) -> Sequence[Pending]:
        """What to place, and in which order: oldest first where that is all there is.

        Each scheduler begins somewhere else, so that they do not all want the same.
        """
        if more:
            return waiting
        oldest_first = sorted(waiting, key=lambda one: (one.created_at, one.reservation_id, one.launch_index))
        first = self._settings.batch * self._random.randrange(1 + (len(waiting) - 1) // self._settings.batch)
        return [*oldest_first[first:], *oldest_first[:first]]

    def _anywhere(self) -> str:
        """Where among the waiting to begin."""
        return f"{self._random.getrandbits(128):032x}"

    async def _refresh(self) -> None:
        # A clock that was set back must not keep us from reading.
        if not 0 <= self._clock.seconds() - self._read_at < self._settings.refresh:
            self._hosts = await self._database.read(self._listing.read, self._settings.host_gone)
            self._read_at = self._clock.seconds()
            if self._hears is not (hears := any(host.alive for host in self._hosts.values())):
                self._hears, self._hearing_since = hears, self._clock.seconds()

    def _note_gap(self) -> None:
        """While nobody could look at the database, nobody could write down there that a host was heard of."""
        if self._clock.seconds() - self._looked_at > self._settings.host_gone:
            self._hearing_since = self._clock.seconds()
        self._looked_at = self._clock.seconds()

    async def _place(self, groups: Sequence["_Group"], more: bool) -> bool:
        """Choose and claim, a batch at a time; whether any was placed, by us or by others.

        Who comes upon what others are placing goes on somewhere else, where there is ``more``.
        """
        moved = False
        rankings: dict[PlacementRequest, Ranking] = {}
        lost: dict[str, tuple[Pending, str]] = {}
        for batch in _batches(groups, self._settings.batch):
            choices = [choice for group in batch for choice in self._choose(group, rankings, lost)]
            claimed = await self._claim(choices)
            moved = moved or bool(claimed.won or claimed.overtaken)
            if more and len(claimed.overtaken) > len(choices) // 2:
                self._start = self._anywhere()
                break
        await self._fail(list(lost.values()))
        return moved

    def _choose(self, group: "_Group", rankings: dict[PlacementRequest, Ranking],
                lost: dict[str, tuple[Pending, str]]) -> list[Choice]:
        """Hosts for all of a group; or none, and why, in ``lost``: its extras are lost with it."""
        if group.members[0].id in lost:
            return []
        before: dict[str, Host] = {}
        choices = []
        for one in group.members:
            chosen = self._choose_one(one, rankings)
            if isinstance(chosen, str):
                self._hosts.update(before)
                if before:
                    del rankings[_shape(one.request)]  # it was made when the others of the group had their room
                lost.update((each.id, (each, chosen)) for each in (*group.members, *group.extras))
                return []
            host = self._hosts[chosen.host]
            before.setdefault(chosen.host, host)
            self._hosts[chosen.host] = _used(one.request, host)
            choices.append(chosen)
        return choices

    def _choose_one(self, one: Pending, rankings: dict[PlacementRequest, Ranking]) -> Choice | str:
        """The best host that still has room by what is in memory, or why there is none."""
        key = _shape(one.request)
        for fresh in (False, True):
            if key not in rankings or (fresh and rankings[key].hosts):
                rankings[key] = self._rank(one.request)
            for host in rankings[key].hosts[:16]:
                if _fits(one.request, self._hosts[host.name]):
                    _rotate(rankings, key)
                    return Choice(pending=one, host=host.name)
        return no_capacity(rankings[key].refusals)

    def _rank(self, request: PlacementRequest) -> Ranking:
        everybody = list(self._hosts.values())
        if len(everybody) > self._settings.sample:
            ranking = self._algorithm.rank(request, self._random.sample(everybody, self._settings.sample))
            if ranking.hosts:
                return ranking
        return self._algorithm.rank(request, everybody)

    async def _claim(self, choices: Sequence[Choice]) -> Claimed:
        if not choices:
            return Claimed(frozenset())
        claimed = await self._database.write(placements.claim, choices, self._settings.host_gone)
        self._placed += len(claimed.won)
        self._lost += len(choices) - len(claimed.won)
        if len(claimed.won) + len(claimed.overtaken) < len(choices):
            self._read_at = float("-inf")  # what we know of hosts was wrong: look at them again
        return claimed

    async def _fail(self, lost: Sequence[tuple[Pending, str]]) -> None:
        late = [(one, why) for one, why in lost if one.waited >= self._settings.deadline]
        if late and not deaf(self._hosts.values(), self._listing.read_at) and not self._just_hears():
            self._failed += len(await self._database.write(placements.fail, late))

    def _just_hears(self) -> bool:
        """Whether not all hosts could be heard yet: after a long outage they come back one by one."""
        return 0 <= self._clock.seconds() - self._hearing_since < self._settings.host_gone


def _behind(reservation_id: str) -> str:
    """Where the next page begins: one reservation that fills a page and fits nowhere must not be all that is seen."""
    return f"{int(reservation_id, 16) + 1:032x}"


class _Frozen(dict[str, str]):
    """A mapping that can be part of a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def _shape(request: PlacementRequest) -> PlacementRequest:
    """The request as a key."""
    return evolve(request, image_properties=_Frozen(request.image_properties),
                  extra_specs=_Frozen(request.extra_specs))


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


@frozen
class _Group:
    """Instances to be placed at once or not at all; ``extras`` are in groups of their own, but none without these."""

    members: Sequence[Pending]
    extras: Sequence[Pending] = ()


def _together(waiting: Sequence[Pending]) -> list[_Group]:
    """Groups in the order they are placed in: of each reservation its minimum, then every other instance alone."""
    reservations: dict[str, list[Pending]] = {}
    for one in waiting:
        reservations.setdefault(one.reservation_id, []).append(one)
    groups = []
    for several in reservations.values():
        minimum = [one for one in several if not one.extra]
        extras = [one for one in several if one.extra]
        if minimum:
            groups.append(_Group(minimum, extras))
        groups.extend(_Group([one]) for one in extras)
    return groups


def _batches(groups: Iterable[_Group], size: int) -> Iterable[list[_Group]]:
    """Groups gathered into batches of about ``size`` instances; a group is never split."""
    batch: list[_Group] = []
    for group in groups:
        if batch and sum(len(one.members) for one in batch) + len(group.members) > size:
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch
