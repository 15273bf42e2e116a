"""Databases for tests: the real SQL layer on sqlite in memory, everything inline on a Clock.

With ``STACKD_TEST_DATABASE=URL`` in the environment the same tests run on that server. Its database must have been
upgraded, and loses all its rows to each test.
"""

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine

from stackd.interfaces.clock import Clock
from stackd.store import stamps
from stackd.store.database import Database, Transaction, Wake
from stackd.store.executors import InlineExecutor
from stackd.store.tables.complete import complete_metadata

VARIABLE = "STACKD_TEST_DATABASE"
_made: WeakSet[Database] = WeakSet()


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
    # Tests seldom close what they made, and servers count connections.
    for earlier in _made:
        earlier.disconnect()
    _made.add(database)
    clear(database.engine)
    return database


def clear(engine: Engine) -> None:
    """Delete every row of every table of ours."""
    with engine.begin() as connection:
        for table in reversed(complete_metadata().sorted_tables):
            connection.execute(table.delete())


def drop(address: str, body: dict[str, Any]) -> None:
    """Forget a wake."""
