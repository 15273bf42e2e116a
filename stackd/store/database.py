"""The database: transaction functions in threads, wakes after commit, bounded retries.

``await database.read(fn, *args)`` runs ``fn(tx, *args)`` on a snapshot; ``await database.write(fn, *args)`` in one
transaction, run again as a whole when the database says that it lost a race, or went away. Functions are
synchronous, return records, and never see a connection after they returned. Everybody above the store calls it.

A commit whose answer was lost may have happened: before the function runs again, the first event it recorded is
looked for. A function that recorded none is not run again, its caller is told that the outcome is unknown.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, exc, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.sql import Executable
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from stackd import errors
from stackd.interfaces.clock import Clock
from stackd.interfaces.measuring import IMeasured
from stackd.model.figures import Figure
from stackd.store.engines import is_sqlite, make_engine
from stackd.store.executors import Executor
from stackd.store.tables.cloud import events
from stackd.store.timekeeping import DatabaseTime
from stackd.store.troubles import Trouble, trouble_of

log = Logger()
P = ParamSpec("P")
T = TypeVar("T")
Wake = Callable[[str, dict[str, Any]], None]
Used = tuple[int, int, int, int]
"""(vcpus, memory MiB, disk GiB, instances) of a host."""

PATIENCE = 30.0
"""Seconds for which a database that is away is waited for."""
RACES = 10
CLASHES = 3
_FIRST_DELAY, _LONGEST_DELAY = 0.02, 0.5


class Transaction:
    """One transaction as its function sees it. ``now`` is its time in epoch seconds.

    ``mark`` is the id of an event it recorded, the proof that it was committed; empty while there is none. ``wrote``
    tells whether anything was asked of the database that it has to keep.
    """

    def __init__(self, connection: Connection, now: float, writing: bool = False) -> None:
        """Made by :class:`Database` only; ``writing`` tells whether what it does is kept."""
        self.connection = connection
        self.now = now
        self.writing = writing
        self.dialect = connection.dialect.name
        self.mark = ""
        self.wrote = False
        self.wakes: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self._stamps: dict[str, dict[tuple[str, str], bool]] = {}
        self._used: dict[str, Used] = {}

    def execute(self, statement: Executable, parameters: Any = None) -> "CursorResult[*tuple[Any, ...]]":
        """Run one statement."""
        self.wrote = self.wrote or not statement.is_select
        return self.connection.execute(statement, parameters)

    def wake(self, address: str, body: dict[str, Any] | None = None) -> None:
        """Send this wake after commit; equal ones leave once."""
        self.wakes[address, repr(body)] = (address, body or {})

    def stamp(self, host: str, kind: str, ids: Iterable[str], lazily: bool = False) -> None:
        """The host must look at these rows again: they get its next version when the transaction ends.

        Also wakes the workers of the host that care about ``kind``; ``lazily`` gives them a moment, so that what
        comes often is gathered. An empty host is nobody.
        """
        if host:
            of_host = self._stamps.setdefault(host, {})
            for id in ids:
                of_host[kind, id] = of_host.get((kind, id), True) and lazily

    def take_stamps(self) -> dict[str, dict[tuple[str, str], bool]]:
        """The stamps gathered, host -> {(kind, id): lazily}; called once by ``store.stamps`` before commit."""
        stamps, self._stamps = self._stamps, {}
        return stamps

    def use(self, host: str, used: Used) -> None:
        """Add to what is claimed of a host when the transaction ends; negative numbers free."""
        before = self._used.get(host, (0, 0, 0, 0))
        self._used[host] = (before[0] + used[0], before[1] + used[1], before[2] + used[2], before[3] + used[3])

    def take_used(self) -> dict[str, Used]:
        """What was gathered by :meth:`use`; called once by ``store.stamps`` before commit."""
        used, self._used = self._used, {}
        return used


class _Work:
    """A transaction function with its arguments, and what its last run left when its commit was not answered."""

    def __init__(self, fn: Any, args: Any, kwargs: Any) -> None:
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.mark = ""
        self.outcome: Any = None

    def run(self, tx: Transaction) -> Any:
        return self.fn(tx, *self.args, **self.kwargs)


@implementer(IMeasured)
class Database:
    """A pool of connections with two ways in: :meth:`read` and :meth:`write`."""

    def __init__(self, url: str, clock: Clock, readers: Executor, writers: Executor, wake: Wake,
                 finish: Callable[[Transaction], None], pool_size: int = 8, patience: float = PATIENCE,
                 follow_time: bool = False) -> None:
        """``url`` is SQLAlchemy's; ``wake`` sends one wake; ``finish`` runs last in each writing transaction

        (``store.stamps.flush``). On sqlite ``writers`` must have one thread. ``patience`` is how many seconds a
        database that is away is waited for. With ``follow_time`` transactions have the time of the database server,
        without it that of ``clock``.
        """
        self.engine = make_engine(url, pool_size)
        self._serial = is_sqlite(url)
        self._reading = self.engine if self._serial else make_engine(url, pool_size, reading=True)
        self._clock = clock
        self._readers = readers
        self._writers = writers
        self._wake = wake
        self._finish = finish
        self._patience = patience
        self._time = DatabaseTime(clock, follow_time)
        self._running = 0
        self._ended: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._again: Counter[str] = Counter()

    def figures(self) -> Iterator[Figure]:
        """Transactions, how long they took with all their tries, and why they were run again."""
        yield Figure(name="database_running", words="Transactions under way or waiting.", value=self._running)
        for kind, count in self._ended.items():
            yield Figure(name="database_transactions", words="Transactions that ended.", value=count,
                         labels={"kind": kind}, total=True)
            yield Figure(name="database_seconds", words="How long they took, from the question to the answer.",
                         value=self._seconds[kind], labels={"kind": kind}, total=True)
        for trouble, count in self._again.items():
            yield Figure(name="database_retries", words="Transactions the database did not take, by the reason.",
                         value=count, labels={"reason": trouble}, total=True)

    async def read(self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` on a snapshot; it must not write."""
        result: T = await self._counted("read", self._retried(self._readers, self._read, _Work(fn, args, kwargs)))
        return result

    async def write(self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` in one transaction, commit, then send its wakes.

        Beside what ``fn`` raises: ``DatabaseUnavailable``, ``OutcomeUnknown``, ``ConcurrentUpdate``, ``InvalidValue``.
        """
        result: T
        result, wakes = await self._counted(
            "write", self._retried(self._writers, self._write, _Work(fn, args, kwargs)))
        for address, body in wakes:
            self._wake(address, body)
        return result

    async def alone(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` where writing transactions run, without one; on sqlite nothing is written meanwhile."""
        return await self._writers.run(fn, *args, **kwargs)

    async def answer(self) -> None:
        """Returns when the database has answered a question; raises as :meth:`read` does."""
        await self.read(lambda tx: tx.execute(select(1)).scalar())

    def close(self) -> None:
        """Wait for what runs and close all connections."""
        self._readers.stop()
        self._writers.stop()
        self.disconnect()

    def disconnect(self) -> None:
        """Close the connections nobody uses; the next transaction opens its own."""
        self.engine.dispose()
        self._reading.dispose()

    async def _counted(self, kind: str, work: Awaitable[T]) -> T:
        begun = self._clock.seconds()
        self._running += 1
        try:
            return await work
        finally:
            self._running -= 1
            self._ended[kind] += 1
            self._seconds[kind] += self._clock.seconds() - begun

    async def _retried(self, executor: Executor, run: Callable[[_Work], Any], work: _Work) -> Any:
        failed: dict[Trouble, int] = {}
        begun = self._clock.seconds()
        while True:
            try:
                return await executor.run(run, work)
            except exc.DBAPIError as error:
                trouble = trouble_of(error)
                failed[trouble] = failed.get(trouble, 0) + 1
                self._again[trouble.value] += 1
                self._demand_another_try(error, trouble, failed[trouble], self._clock.seconds() - begun)
            # Jitter, so that those who collided do not collide again.
            delay = min(_FIRST_DELAY * 2 ** (failed[trouble] - 1), _LONGEST_DELAY) * (0.5 + random.random())
            await deferLater(self._clock, delay)  # type: ignore[arg-type]

    def _demand_another_try(self, error: exc.DBAPIError, trouble: Trouble, times: int, waited: float) -> None:
        """Raise, in words for users, unless the function is worth running again."""
        if trouble is Trouble.OTHER:
            raise error
        if trouble is Trouble.UNFIT:
            raise errors.InvalidValue("request", "it holds a value that the database cannot keep.") from error
        if trouble is Trouble.AWAY and waited >= self._patience:
            log.error("the database does not answer: {error}", error=str(error.orig))
            raise errors.DatabaseUnavailable("The database does not answer.") from error
        # On sqlite one writes at a time: nobody else can have been faster.
        most = {Trouble.RACE: RACES, Trouble.CLASH: 1 if self._serial else CLASHES}
        if times >= most.get(trouble, times + 1):
            log.warn("given up after {times} tries: {error}", times=times, error=str(error.orig))
            raise errors.ConcurrentUpdate("What was asked for collides with what others have just changed.") from error

    def _read(self, work: _Work) -> Any:
        with self._reading.connect() as connection:
            self._time.keep(connection)
            return work.run(Transaction(connection, self._time.now()))

    def _write(self, work: _Work) -> Any:
        with self.engine.connect().execution_options(stackd_write=True) as connection:
            connection.begin()
            if work.mark and connection.execute(select(events.c.number).where(events.c.id == work.mark)).first():
                return work.outcome
            work.mark = ""
            self._time.keep(connection)
            tx = Transaction(connection, self._time.now(), writing=True)
            result = work.run(tx)
            self._finish(tx)
            outcome = result, list(tx.wakes.values())
            try:
                connection.commit()
            except exc.DBAPIError as error:
                _keep_unanswered(work, tx, outcome, error)
                raise
        return outcome


def _keep_unanswered(work: _Work, tx: Transaction, outcome: Any, error: exc.DBAPIError) -> None:
    """The commit failed: when the database went away in it, keep what is needed to find out whether it happened."""
    if trouble_of(error) is not Trouble.AWAY or tx.dialect == "sqlite" or not tx.wrote:
        return
    if not tx.mark:
        raise errors.OutcomeUnknown("The database went away while it kept the change.",
                                    remedy="Look whether it was made before sending the request again.") from error
    work.mark, work.outcome = tx.mark, outcome
