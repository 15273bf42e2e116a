"""A project on any database that many use at once: for tests of races, and for the bench of databases.

There are no daemons: launches are asked for as an API does, claims, fetches and reports as the daemons do.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from itertools import cycle
from typing import Any

from twisted.internet import defer

from stackd import errors
from stackd.core.flavors import seed
from stackd.core.launches import Launches
from stackd.model.assignments import FetchRequest, Hello, InstanceReport, Report
from stackd.model.callers import MEMBER, Caller
from stackd.model.hosts import HostCapacity
from stackd.model.identities import Project
from stackd.model.ids import new_id
from stackd.model.images import Image, ImageStatus
from stackd.model.instances import GuestState, LaunchRequest, ObservedInstance, Reservation
from stackd.model.networks import Network
from stackd.model.quotas import UNLIMITED, QuotaSet
from stackd.rules.flavors import DEFAULTS
from stackd.store import assigned, defaults, hosts, placements, quotas, reported
from stackd.store.database import Database, Transaction
from stackd.store.placements import Choice, Pending

ZONES = ("zone-a", "zone-b")
FLAVOR = min(DEFAULTS, key=lambda flavor: flavor.memory_mib)
FREE = QuotaSet(instances=UNLIMITED, cores=UNLIMITED, ram=UNLIMITED, ports=UNLIMITED, floating_ips=UNLIMITED)
HOST_GONE = 3600.0


class OneImage:
    """An image service with one image, by whatever id it is asked for."""

    async def show(self, caller: Caller, image_id: str) -> Image:
        """The image."""
        return Image(id=image_id, owner=caller.project_id, name="tiny", status=ImageStatus.ACTIVE, disk_format="raw",
                     container_format="bare", size=1024, checksum="0" * 32)


class Crowd:
    """A project with its default network, a public network, and hosts that are alive."""

    def __init__(self, database: Database, name: str = "demo", account: str = "123456789012") -> None:
        """Nothing is there before :meth:`settle`."""
        self.database = database
        self.project = Project(id=new_id(), name=name, account=account)
        self.caller = Caller(user_id=new_id(), user_name="alice", project_id=self.project.id, project_name=name,
                             roles=frozenset({MEMBER}), request_id="req-crowd")
        self.hosts: tuple[str, ...] = ()
        self._launches = Launches(database, OneImage(), ZONES)  # type: ignore[arg-type]

    async def settle(self, count: int = 4, room: int = 1000, limits: QuotaSet = FREE,
                     public: str = "203.0.113.0/24") -> Network:
        """Make project and hosts, each with room for so many of the smallest instances; the public network."""
        self.hosts = tuple(f"host-{number}" for number in range(count))
        return await self.database.write(self._settle, room, limits, public)

    def _settle(self, tx: Transaction, room: int, limits: QuotaSet, public: str) -> Network:
        seed(tx)
        quotas.create(tx, self.project.id, limits)
        defaults.new_project(tx, self.project, ZONES, "172.31.0.0/16")
        capacity = HostCapacity(vcpus=room * FLAVOR.vcpus, memory_mib=room * FLAVOR.memory_mib,
                                disk_gib=room * max(FLAVOR.disk_gib, 1))
        for name in self.hosts:
            hosts.hello(tx, Hello(host=name, worker="compute", zone=ZONES[0], capacity=capacity), {})
            hosts.hello(tx, Hello(host=name, worker="network", zone=ZONES[0]), {})
        return defaults.external(tx, self.project.id, public)

    async def launch(self, name: str = "web", **fields: Any) -> Reservation:
        """Launch one as an API does."""
        return await self._launches.launch(self.caller, LaunchRequest(
            image_id="c" * 32, flavor_id=FLAVOR.id, name=name, **fields))

    async def claim(self, pending: Sequence[Pending], names: Sequence[str] = ()) -> frozenset[str]:
        """Claim hosts for these, in turn, in one transaction."""
        turns = cycle(names or self.hosts)
        choices = [Choice(pending=one, host=next(turns)) for one in pending]
        return (await self.database.write(placements.claim, choices, HOST_GONE)).won

    async def pending(self) -> tuple[Pending, ...]:
        """Who needs a host."""
        return await self.database.read(placements.pending, 10_000)

    async def report(self, host: str, counter: int) -> int:
        """A host fetches all it has and reports it running; how many."""
        request = FetchRequest(host=host, worker="compute", session=1)
        told = await self.database.read(assigned.fetch, request, "incarnation")
        await self.database.write(reported.apply_all, [Report(
            host=host, worker="compute", session=1, counter=counter, instances=tuple(InstanceReport(
                id=one.instance.id, epoch=one.instance.placement_epoch, observed=ObservedInstance(
                    state=GuestState.RUNNING, generation=one.instance.generation, at=float(counter)))
                for one in told.instances))])
        return len(told.instances)


async def together(asked: Iterable[Coroutine[Any, Any, Any]]) -> tuple[list[Any], list[BaseException]]:
    """Begin all at once: the results, and the errors."""
    begun: list[defer.Deferred[Any]] = [defer.ensureDeferred(one) for one in asked]
    ended: list[tuple[bool, Any]] = await defer.DeferredList(begun, consumeErrors=True)
    return [result for well, result in ended if well], [failure.value for well, failure in ended if not well]


async def in_turns(ask: Callable[[int], Awaitable[Any]], count: int, clients: int = 16) -> list[Any]:
    """``ask(0)`` to ``ask(count - 1)`` by a few clients, each of which asks one after the other."""
    left = iter(range(count))
    results: list[Any] = []

    async def client() -> None:
        for number in left:
            results.append(await ask(number))

    _, failed = await together(client() for _ in range(clients))
    for error in failed:
        raise error
    return results


def kinds_of(failed: Iterable[BaseException]) -> set[type[BaseException]]:
    """Which errors these are; one that is not of ours is raised."""
    for error in failed:
        if not isinstance(error, errors.StackdError):
            raise error
    return {type(error) for error in failed}
