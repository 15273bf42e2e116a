"""Databases for tests: the real SQL layer on sqlite in memory, everything inline on a Clock."""

from typing import Any

from stackd.interfaces.clock import Clock
from stackd.store import stamps
from stackd.store.database import Database, Wake
from stackd.store.executors import InlineExecutor
from stackd.store.tables.complete import complete_metadata


def memory_database(clock: Clock, wake: Wake | None = None) -> Database:
    """An empty database with the whole schema; transactions run at once in the calling thread.

    ``wake`` takes (address, body) of each wake after commit; without it they are dropped, which is always allowed.
    """
    database = Database("sqlite://", clock, InlineExecutor(), InlineExecutor(), wake or drop, stamps.flush)
    complete_metadata().create_all(database.engine)
    return database


def drop(address: str, body: dict[str, Any]) -> None:
    """Forget a wake."""
