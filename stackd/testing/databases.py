"""Databases for tests: the real SQL layer on sqlite in memory, everything inline on a Clock.

With ``STACKD_TEST_DATABASE=URL`` in the environment the same tests run on that server. Its database must have been
upgraded, and loses all its rows to each test.
"""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from stackd.interfaces.clock import Clock
from stackd.store import stamps
from stackd.store.database import Database, Transaction, Wake
from stackd.store.executors import InlineExecutor
from stackd.store.tables.complete import complete_metadata

VARIABLE = "STACKD_TEST_DATABASE"
_first: list[Database] = []


def memory_database(clock: Clock, wake: Wake | None = None,
                    finish: Callable[[Transaction], None] = stamps.flush) -> Database:
    """An empty database with the whole schema; transactions run at once in the calling thread.

    ``wake`` takes (address, body) of each wake after commit; without it they are dropped, which is always allowed.
    """
    url = os.environ.get(VARIABLE, "")
    database = Database(url or "sqlite://", clock, InlineExecutor(), InlineExecutor(), wake or drop, finish)
    if not url:
        complete_metadata().create_all(database.engine)
        return database
    # Tests seldom close what they made, servers count connections, and a new one takes longer than most tests.
    _first.append(database)
    database.engine, database._reading = _first[0].engine, _first[0]._reading
    del _first[1:]
    clear(database.engine)
    return database


def clear(engine: Engine) -> None:
    """Delete every row of every table of ours."""
    deletions = [str(table.delete()) for table in reversed(complete_metadata().sorted_tables)]
    with engine.begin() as connection:
        # PostgreSQL takes them all at once.
        for deletion in [";".join(deletions)] if engine.dialect.name == "postgresql" else deletions:
            connection.exec_driver_sql(deletion)


def drop(address: str, body: dict[str, Any]) -> None:
    """Forget a wake."""
