"""What the database does about trouble, as those above it see it; the servers' part is in ``tests/live``."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, text
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.model.quotas import QuotaSet
from stackd.store import events, quotas, stamps
from stackd.store.database import PATIENCE, Database, Transaction
from stackd.store.engines import make_engine
from stackd.store.executors import InlineExecutor
from stackd.store.tables.complete import complete_metadata
from stackd.store.troubles import Trouble, trouble_of

PROJECT = "a" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file with the schema."""
    path = tmp_path / "stackd.db"
    complete_metadata().create_all(make_engine(f"sqlite:///{path}"))
    return path


def outcome_of(database: Database, clock: Clock, fn: Callable[[Transaction], Any]) -> tuple[list[Any], float]:
    """What becomes of a write, and after how many seconds."""
    outcome: list[Any] = []
    begun = clock.seconds()
    ensureDeferred(database.write(fn)).addErrback(lambda failure: failure.value).addCallback(outcome.append)
    while not outcome:
        clock.advance(0.1)
    return outcome, clock.seconds() - begun


def on_file(path: Path, clock: Clock) -> Database:
    """A database on a file."""
    return Database(f"sqlite:///{path}", clock, InlineExecutor(), InlineExecutor(), lambda *_: None,
                    stamps.flush)


def recorded(tx: Transaction) -> str:
    """Write something."""
    events.record(tx, "instance", PROJECT, PROJECT, "create", "ann", "req")
    return "done"


def test_a_locked_file_is_waited_for(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackd.store.engines.BUSY_TIMEOUT_MS", 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    clock.callLater(3, other.execute, "ROLLBACK")
    outcome, waited = outcome_of(on_file(path, clock), clock, recorded)
    assert outcome == ["done"]
    assert 3 <= waited < 5


def test_patience_ends(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackd.store.engines.BUSY_TIMEOUT_MS", 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcome, waited = outcome_of(on_file(path, clock), clock, recorded)
    assert isinstance(outcome[0], errors.DatabaseUnavailable)
    assert PATIENCE <= waited < PATIENCE + 2


def test_a_key_that_is_taken_is_a_conflict(database: Database, clock: Clock) -> None:
    def create(tx: Transaction) -> None:
        quotas.create(tx, PROJECT, QuotaSet())

    outcome_of(database, clock, create)
    outcome, _ = outcome_of(database, clock, create)
    assert isinstance(outcome[0], errors.ConcurrentUpdate)
    assert "Send the request again" in str(outcome[0])


def test_a_mistake_of_ours_is_not_tried_again(database: Database, clock: Clock) -> None:
    times: list[int] = []

    def wrong(tx: Transaction) -> None:
        times.append(1)
        tx.execute(text("SELECT nothing FROM nowhere"))

    outcome, _ = outcome_of(database, clock, wrong)
    assert isinstance(outcome[0], exc.DBAPIError)
    assert times == [1]


def test_wakes_leave_once_and_only_after_commit(clock: Clock) -> None:
    sent: list[str] = []
    database = Database("sqlite://", clock, InlineExecutor(), InlineExecutor(),
                        lambda address, body: sent.append(address), lambda tx: None)

    def wake(tx: Transaction) -> None:
        tx.wake("scheduler")
        tx.wake("scheduler")
        assert sent == []

    def fail(tx: Transaction) -> None:
        tx.wake("conductor")
        raise errors.Conflict("No.")

    outcome_of(database, clock, wake)
    outcome_of(database, clock, fail)
    assert sent == ["scheduler"]


class Said(Exception):
    """What a driver raises, with a code where the driver gives one."""

    def __init__(self, *args: Any, sqlstate: str | None = None) -> None:
        super().__init__(*args)
        if sqlstate:
            self.sqlstate = sqlstate


@pytest.mark.parametrize(("error", "said", "trouble"), [
    (exc.OperationalError, Said(sqlstate="40001"), Trouble.RACE),
    (exc.OperationalError, Said(sqlstate="40P01"), Trouble.RACE),
    (exc.IntegrityError, Said(sqlstate="23505"), Trouble.CLASH),
    (exc.IntegrityError, Said(sqlstate="23502"), Trouble.OTHER),
    (exc.OperationalError, Said(sqlstate="57P03"), Trouble.AWAY),
    (exc.OperationalError, Said(sqlstate="08006"), Trouble.AWAY),
    (exc.OperationalError, Said("connection refused"), Trouble.AWAY),
    (exc.DataError, Said(sqlstate="22001"), Trouble.UNFIT),
    (exc.ProgrammingError, Said(sqlstate="42P01"), Trouble.OTHER),
    (exc.OperationalError, Said(1213, "Deadlock found"), Trouble.RACE),
    (exc.OperationalError, Said(1205, "Lock wait timeout exceeded"), Trouble.RACE),
    (exc.OperationalError, Said(2006, "gone away"), Trouble.AWAY),
    (exc.OperationalError, Said(2002, "cannot connect"), Trouble.AWAY),
    (exc.IntegrityError, Said(1062, "Duplicate entry"), Trouble.CLASH),
    (exc.IntegrityError, Said(1048, "cannot be null"), Trouble.OTHER),
    (exc.DataError, Said(1406, "Data too long"), Trouble.UNFIT),
    (exc.ProgrammingError, Said(1146, "no such table"), Trouble.OTHER)])
def test_what_servers_say_is_understood(error: type[exc.DBAPIError], said: Said, trouble: Trouble) -> None:
    assert trouble_of(error("SELECT 1", {}, said)) is trouble


def test_a_connection_that_was_given_up_is_the_database_away() -> None:
    assert trouble_of(exc.InterfaceError("SELECT 1", {}, Said(0, ""), connection_invalidated=True)) is Trouble.AWAY
