"""What every test gets: failures nobody looked at are noticed, and a database in memory where one is asked for."""

import gc
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from stackd.store.database import Database
from stackd.testing.databases import memory_database


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported so far need not be looked through after each test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def lost_failures(request: pytest.FixtureRequest) -> Iterator[list[LogEvent]]:
    """A Deferred that fails with nobody waiting only logs: fail the test that left it behind.

    A test that provokes logged failures takes this fixture and clears the list.
    """
    seen: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None and event.get("log_level") is LogLevel.critical:
            seen.append(event)

    globalLogPublisher.addObserver(observe)
    yield seen
    gc.collect()
    globalLogPublisher.removeObserver(observe)
    words = [event["log_failure"].getTraceback() for event in seen]
    assert not words, "failures that nobody handled:\n" + "\n".join(words)


@pytest.fixture
def clock() -> Clock:
    """Time that moves only when told to, starting at a plausible date."""
    clock = Clock()
    clock.advance(1_800_000_000)
    return clock


@pytest.fixture
def database(clock: Clock) -> Iterator[Database]:
    """An empty database in memory; transactions run at once."""
    database = memory_database(clock)
    yield database
    database.close()
