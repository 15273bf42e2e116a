"""Databases for tests: the real SQL layer on sqlite in memory, everything inline on a Clock.

With ``STACKD_TEST_DATABASE=URL`` in the environment the same tests run on that server. Its database must have been
upgraded, and loses all its rows to each test. Where several processes test side by side, ``{worker}`` in the URL stands
for the name that pytest-xdist gives to each.
"""

import os
from collections.abc import Callable
from copy import copy
from typing import Any

from sqlalchemy import Engine

from stackd.interfaces.clock import Clock
from stackd.store import stamps
from stackd.store.database import Database, Transaction, Wake
from stackd.store.executors import InlineExecutor
from stackd.store.tables.complete import complete_metadata

VARIABLE = "STACKD_TEST_DATABASE"
FIRST_WORKER = "gw0"
_first: dict[str, Database] = {}


def memory_database(clock: Clock, wake: Wake | None = None,
                    finish: Callable[[Transaction], None] = stamps.flush) -> Database:
    """An empty database with the whole schema; transactions run at once in the calling thread.

    ``wake`` takes (address, body) of each wake after commit; without it they are dropped, which is always allowed.
    """
    url = os.environ.get(VARIABLE, "").replace("{worker}", os.environ.get("PYTEST_XDIST_WORKER", FIRST_WORKER))
    database = Database(url or "sqlite://", clock, InlineExecutor(), InlineExecutor(), wake or drop, finish)
    first = _first.get(url)
    if first is None:
        first = _first[url] = copy(database)
        if not url:
            complete_metadata().create_all(first.engine)
    if url:
        # Tests seldom close what they made, servers count connections, and a new one takes longer than most tests.
        database.engine, database._reading = first.engine, first._reading
        clear(database.engine)
    else:
        database.engine = database._reading = _another(first.engine)
    return database


def _another(engine: Engine) -> Engine:
    """A database in memory with the same schema; what was compiled for one serves all, and that is half the time."""
    other = copy(engine)
    other.pool = engine.pool.recreate()
    with engine.connect() as source, other.connect() as target:
        source.connection.driver_connection.backup(target.connection.driver_connection)  # type: ignore[union-attr]
    return other


def clear(engine: Engine) -> None:
    """Delete every row of every table of ours."""
    deletions = [str(table.delete()) for table in reversed(complete_metadata().sorted_tables)]
    with engine.begin() as connection:
        # PostgreSQL takes them all at once.
        for deletion in [";".join(deletions)] if engine.dialect.name == "postgresql" else deletions:
            connection.exec_driver_sql(deletion)


def drop(address: str, body: dict[str, Any]) -> None:
    """Forget a wake."""
