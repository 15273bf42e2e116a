"""The database: transaction functions in threads, wakes after commit, bounded retries.

``await database.read(fn, *args)`` runs ``fn(tx, *args)`` on a snapshot; ``await database.write(fn, *args)`` in one
transaction, retried as a whole when the database says that it lost a race. Functions are synchronous, return
records, and never see a connection after they returned. Everybody above the store calls it.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import CursorResult, make_url
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import Executable
from twisted.internet.task import deferLater

from stackd import errors
from stackd.interfaces.clock import Clock
from stackd.store.executors import Executor

P = ParamSpec("P")
T = TypeVar("T")
Wake = Callable[[str, dict[str, Any]], None]

ATTEMPTS = 5
BUSY_TIMEOUT_MS = 15_000
_RETRIED_SQLSTATES = {"40001", "40P01"}
_RETRIED_MYSQL = {1205, 1213, 2006, 2013}


class Transaction:
    """One transaction as its function sees it. ``now`` is its time in epoch seconds."""

    def __init__(self, connection: Connection, now: float) -> None:
        """Made by :class:`Database` only."""
        self.connection = connection
        self.now = now
        self.dialect = connection.dialect.name
        self.wakes: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self._stamps: dict[str, dict[tuple[str, str], None]] = {}

    def execute(self, statement: Executable, parameters: Any = None) -> "CursorResult[*tuple[Any, ...]]":
        """Run one statement."""
        return self.connection.execute(statement, parameters)

    def wake(self, address: str, body: dict[str, Any] | None = None) -> None:
        """Send this wake after commit; equal ones leave once."""
        self.wakes[address, repr(body)] = (address, body or {})

    def stamp(self, host: str, kind: str, ids: Iterable[str]) -> None:
        """The host must look at these rows again: they get its next version when the transaction ends.

        Also wakes the workers of the host that care about ``kind``. An empty host is nobody.
        """
        if host:
            self._stamps.setdefault(host, {}).update(dict.fromkeys((kind, id) for id in ids))

    def take_stamps(self) -> dict[str, dict[tuple[str, str], None]]:
        """The stamps gathered, host -> {(kind, id)}; called once by ``store.stamps`` before commit."""
        stamps, self._stamps = self._stamps, {}
        return stamps


class Database:
    """A pool of connections with two ways in: :meth:`read` and :meth:`write`."""

    def __init__(self, url: str, clock: Clock, readers: Executor, writers: Executor, wake: Wake,
                 finish: Callable[[Transaction], None], pool_size: int = 8) -> None:
        """``url`` is SQLAlchemy's; ``wake`` sends one wake; ``finish`` runs last in each writing transaction

        (``store.stamps.flush``). On sqlite ``writers`` must have one thread.
        """
        self.engine = make_engine(url, pool_size)
        self._clock = clock
        self._readers = readers
        self._writers = writers
        self._wake = wake
        self._finish = finish

    async def read(self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` on a snapshot; nothing it writes is kept."""
        result: T = await self._retried(self._readers, self._read, fn, args, kwargs)
        return result

    async def write(self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` in one transaction, commit, then send its wakes."""
        result: T
        result, wakes = await self._retried(self._writers, self._write, fn, args, kwargs)
        for address, body in wakes:
            self._wake(address, body)
        return result

    async def alone(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` where writing transactions run, without one; on sqlite nothing is written meanwhile."""
        return await self._writers.run(fn, *args, **kwargs)

    def close(self) -> None:
        """Wait for what runs and close all connections."""
        self._readers.stop()
        self._writers.stop()
        self.engine.dispose()

    async def _retried(self, executor: Executor, run: Callable[..., Any], fn: Any, args: Any, kwargs: Any) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                return await executor.run(run, fn, args, kwargs)
            except exc.DBAPIError as error:
                if not lost_a_race(error):
                    raise
                if attempt == ATTEMPTS - 1:
                    raise errors.DatabaseUnavailable("The database does not answer.") from error
            # Jitter, so that those who collided do not collide again.
            await deferLater(self._clock, 0.02 * 2 ** attempt * (0.5 + random.random()))  # type: ignore[arg-type]
        raise AssertionError("unreachable")

    def _read(self, fn: Any, args: Any, kwargs: Any) -> Any:
        with self.engine.connect() as connection:
            return fn(Transaction(connection, self._clock.seconds()), *args, **kwargs)

    def _write(self, fn: Any, args: Any, kwargs: Any) -> Any:
        with self.engine.connect().execution_options(stackd_write=True) as connection, connection.begin():
            tx = Transaction(connection, self._clock.seconds())
            result = fn(tx, *args, **kwargs)
            self._finish(tx)
        return result, list(tx.wakes.values())


def lost_a_race(error: exc.DBAPIError) -> bool:
    """Whether the whole transaction may go well when run again: busy, deadlock, serialization, lost connection."""
    if error.connection_invalidated:
        return True
    original = error.orig
    if getattr(original, "sqlstate", None) in _RETRIED_SQLSTATES:
        return True
    code = original.args[0] if original is not None and original.args else None
    return code in _RETRIED_MYSQL or "database is locked" in str(original)


def make_engine(url: str, pool_size: int = 8) -> Engine:
    """An engine with stackd's rules for its dialect: WAL and BEGIN IMMEDIATE on sqlite, READ COMMITTED elsewhere."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_size=pool_size, pool_pre_ping=True, isolation_level="READ COMMITTED")
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    if parsed.database in (None, "", ":memory:"):
        options["poolclass"] = StaticPool
    else:
        options |= {"pool_size": pool_size, "max_overflow": 4}
    engine = create_engine(parsed, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    # busy_timeout first: the other pragmas can already meet a lock.
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("stackd_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
