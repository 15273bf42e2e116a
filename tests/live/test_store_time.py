"""Transactions have the time of the database server, however wrong the clock of the daemon's machine is."""

import time

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from stackd.store import stamps
from stackd.store.database import Database
from stackd.store.executors import InlineExecutor
from stackd.store.timekeeping import ASKED_EVERY
from stackd.testing.databases import drop
from tests.live.database_fixtures import any_server, url

__all__ = ["any_server", "url"]

SERVERS = pytest.mark.parametrize("any_server", ["postgresql", "mariadb"], indirect=True)
SLACK = 5.0


@ensureDeferred
@SERVERS
async def test_the_time_of_the_server_counts(url: str) -> None:
    clock = Clock()
    database = Database(url, clock, InlineExecutor(), InlineExecutor(), drop, stamps.flush, follow_time=True)
    assert abs(await database.read(lambda tx: tx.now) - time.time()) < SLACK
    assert abs(await database.write(lambda tx: tx.now) - time.time()) < SLACK
    clock.advance(ASKED_EVERY - 1)
    assert await database.read(lambda tx: tx.now) > time.time() + ASKED_EVERY - 1 - SLACK, "our own clock goes on"
    clock.advance(2)
    assert abs(await database.read(lambda tx: tx.now) - time.time()) < SLACK
    clock.rightNow = -7200.0
    assert abs(await database.read(lambda tx: tx.now) - time.time()) < SLACK, "a clock that was set back"
    database.close()


@ensureDeferred
@SERVERS
async def test_who_does_not_follow_goes_by_the_clock(url: str) -> None:
    database = Database(url, Clock(), InlineExecutor(), InlineExecutor(), drop, stamps.flush)
    assert await database.read(lambda tx: tx.now) == 0.0
    database.close()
