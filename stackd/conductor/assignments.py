"""``IAssignments`` on the store: what hosts ask and tell, gathered into few transactions."""

from collections.abc import Mapping, Sequence

from zope.interface import implementer

from stackd import errors
from stackd.conductor.gathering import Gathering
from stackd.interfaces.assignments import IAssignments
from stackd.model import kinds
from stackd.model.assignments import Assignments, FetchRequest, Hello, Report
from stackd.model.figures import Figure
from stackd.rules.plausible import plausible_hello, plausible_report, plausible_request
from stackd.store import assigned, hosts, instances, reported, sessions
from stackd.store.database import Database, Transaction


@implementer(IAssignments)
class StoredAssignments:
    """Serves hosts from the database. ``fetched`` holds who was heard of since the last flush."""

    def __init__(self, database: Database, ratios: Mapping[str, float]) -> None:
        """``ratios`` are the over-commitments of ``vcpus`` and ``memory_mib``."""
        self._database = database
        self._ratios = dict(ratios)
        self._incarnation = ""
        self._hellos: Gathering[Hello, int] = Gathering(self._begin_all)
        self._fetches: Gathering[FetchRequest, Assignments] = Gathering(self._fetch_all)
        self._reports: Gathering[Report, None] = Gathering(self._apply_all)
        self.fetched: set[tuple[str, str]] = set()

    async def hello(self, hello: Hello) -> int:
        """Keep the host's capacity, raise the worker's session and return it."""
        return await self._hellos.ask(plausible_hello(hello))

    async def fetch(self, request: FetchRequest) -> Assignments:
        """One page of what this worker must care about."""
        plausible_request(request)
        self.fetched.add((request.host, request.worker))
        if request.held:
            await self._database.write(assigned.wrongly_held, request)
        return await self._fetches.ask(request)

    async def report(self, report: Report) -> None:
        """Apply observations; returns after commit."""
        await self._reports.ask(plausible_report(report))

    async def user_data(self, host: str, instance_id: str) -> bytes:
        """The user data of an instance, for the host that runs it only."""
        return await self._database.read(_user_data, host, instance_id)

    async def keep_contacts(self) -> None:
        """Write who was heard of since the last time, in one statement."""
        fetched, self.fetched = self.fetched, set()
        if fetched:
            await self._database.write(hosts.seen, sorted(fetched))

    def figures(self) -> list[Figure]:
        """What was gathered into how many transactions."""
        def figure(gathered: str, name: str, words: str, value: float, total: bool = False) -> Figure:
            return Figure(name=f"conductor_{name}", words=words, value=value, total=total,
                          labels={"gathered": gathered})

        return [each for word, gathering in (("fetches", self._fetches), ("reports", self._reports)) for each in (
            figure(word, "requests", "Questions and reports of hosts that were served.", gathering.served, True),
            figure(word, "batches", "Transactions they were served by.", gathering.batches, True),
            figure(word, "largest_batch", "The most that were served by one.", gathering.largest),
            figure(word, "waiting", "Those that wait for the transaction under way.", gathering.waiting))]

    async def _begin_all(self, hellos: Sequence[Hello]) -> Sequence[int]:
        return await self._database.write(hosts.hello_all, hellos, self._ratios)

    async def _fetch_all(self, requests: Sequence[FetchRequest]) -> Sequence[Assignments]:
        if not self._incarnation:
            self._incarnation = await self._database.write(hosts.incarnation)
        return await self._database.read(assigned.fetch_all, requests, self._incarnation)

    async def _apply_all(self, reports: Sequence[Report]) -> Sequence[None]:
        await self._database.write(_apply, reports)
        return [None] * len(reports)


def _apply(tx: Transaction, reports: Sequence[Report]) -> None:
    reported.apply_all(tx, sessions.begun(tx, reports))


def _user_data(tx: Transaction, host: str, instance_id: str) -> bytes:
    instance = instances.of_ids(tx, [instance_id]).get(instance_id)
    if instance is None or instance.host != host:
        raise errors.NotFound(kinds.INSTANCE, instance_id)
    return instances.user_data_of(tx, instance_id)
