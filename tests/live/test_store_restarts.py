"""A database that restarts, crashes, or loses the answer to a commit, costs time and nothing else."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from sqlalchemy.exc import DBAPIError
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread

from stackd import errors
from stackd.model.instances import InstanceQuery
from stackd.model.paging import PageRequest
from stackd.store import hosts, instances
from stackd.store.database import Database, Transaction
from stackd.testing.crowds import HOST_GONE, Crowd, in_turns, kinds_of, together
from stackd.testing.servers import DatabaseServer
from tests.live.database_fixtures import any_server, database, url

__all__ = ["any_server", "database", "url"]

SERVERS = pytest.mark.parametrize("any_server", ["postgresql", "mariadb"], indirect=True)
LAUNCHES = 120


async def names(crowd: Crowd) -> Counter[str]:
    """How often there is an instance of each name."""
    page = await crowd.database.read(instances.listed, InstanceQuery(), crowd.project.id, PageRequest(limit=1000))
    return Counter(view.instance.name for view in page.items)


def during(ask: Callable[[int], Awaitable[Any]], when: int,
           happens: Callable[[], Awaitable[Any]]) -> Callable[[int], Awaitable[Any]]:
    """``ask``, but beside the ``when``-th call something happens."""
    async def either(number: int) -> Any:
        return await (happens() if number == when else ask(number))
    return either


@ensureDeferred
@SERVERS
@pytest.mark.parametrize("crash", [False, True])
async def test_launches_go_on_after_a_restart(any_server: DatabaseServer, database: Database, crash: bool) -> None:
    crowd = Crowd(database)
    await crowd.settle()

    def restart() -> None:
        any_server.stop(crash)
        any_server.start()

    await in_turns(during(lambda number: crowd.launch(name=f"n{number}"), LAUNCHES // 2,
                          lambda: deferToThread(restart)), LAUNCHES)
    expected = {f"n{number}" for number in range(LAUNCHES) if number != LAUNCHES // 2}
    assert await names(crowd) == Counter(expected)


@ensureDeferred
@SERVERS
@pytest.mark.parametrize("crash", [False, True])
async def test_claims_go_on_after_a_restart(any_server: DatabaseServer, database: Database, crash: bool) -> None:
    """Schedulers that look at the same rows while the database goes away and comes back place each row once."""
    crowd = Crowd(database)
    await crowd.settle(count=4, room=LAUNCHES)
    await in_turns(lambda number: crowd.launch(max_count=10), LAUNCHES // 10)

    def restart() -> None:
        any_server.stop(crash)
        any_server.start()

    won: list[str] = []

    async def scheduler(number: int) -> None:
        while pending := await crowd.pending():
            won.extend(await crowd.claim(pending[:8]))

    await in_turns(during(scheduler, 3, lambda: deferToThread(restart)), 4, clients=4)
    assert len(won) == len(set(won)) == LAUNCHES
    present = await database.read(hosts.listed, HOST_GONE)
    assert sum(host.instances for host in present) == LAUNCHES


@ensureDeferred
@SERVERS
async def test_a_database_that_stays_away_is_told(any_server: DatabaseServer, database: Database) -> None:
    crowd = Crowd(database)
    await crowd.settle()
    database._patience = 0.5
    any_server.stop()
    _, failed = await together([crowd.launch(), crowd.pending()])
    any_server.start()
    assert kinds_of(failed) == {errors.DatabaseUnavailable}
    assert len(failed) == 2
    database._patience = 30.0
    await crowd.launch()


def lose_answers(database: Database, commits: int, committed: bool) -> None:
    """The connection goes away in each of the next commits, after the database heard it or before."""
    dialect = database.engine.dialect
    commit, left = dialect.do_commit, [commits]

    def lost(connection: Any) -> None:
        if left[0]:
            left[0] -= 1
            if committed:
                commit(connection)
            connection.dbapi_connection.close()
        commit(connection)

    dialect.do_commit = lost  # type: ignore[method-assign]


@ensureDeferred
@SERVERS
@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_whose_answer_is_lost_happens_once(database: Database, committed: bool) -> None:
    crowd = Crowd(database)
    await crowd.settle()
    lose_answers(database, 2, committed)
    made = await crowd.launch(name="once")
    assert await names(crowd) == {"once": 1}
    present = await database.read(instances.of_reservation, made.id)
    assert [view.instance.id for view in present] == [view.instance.id for view in made.instances]


@ensureDeferred
@SERVERS
async def test_without_an_event_nobody_can_know(database: Database) -> None:
    lose_answers(database, 1, committed=True)
    with pytest.raises(errors.OutcomeUnknown):
        await database.write(hosts.renew_incarnation)


@ensureDeferred
@SERVERS
async def test_what_wrote_nothing_is_done_again(database: Database) -> None:
    """As by a scheduler when others were faster: it holds locks, and gives nobody a host."""
    crowd = Crowd(database)
    await crowd.settle()
    await crowd.launch()
    pending = await crowd.pending()
    assert await crowd.claim(pending)
    lose_answers(database, 1, committed=True)
    assert await crowd.claim(pending) == frozenset()


@ensureDeferred
@SERVERS
async def test_what_the_database_cannot_keep_is_the_users_mistake(database: Database) -> None:
    crowd = Crowd(database)
    await crowd.settle()
    with pytest.raises(errors.InvalidValue):
        await crowd.launch(name="x" * 300)


@ensureDeferred
@SERVERS
async def test_readers_see_one_state_and_write_nothing(database: Database) -> None:
    crowd = Crowd(database)
    await crowd.settle()
    others: list[Any] = []

    def twice(tx: Transaction) -> tuple[int, int]:
        first = instances.usage(tx, crowd.project.id)[0]
        launch_elsewhere()
        return first, instances.usage(tx, crowd.project.id)[0]

    def launch_elsewhere() -> None:

        others.append(blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(crowd.launch())))

    assert await database.read(twice) == (0, 0)
    assert (await database.read(instances.usage, crowd.project.id))[0] == len(others) == 1
    with pytest.raises(DBAPIError, match="(?i)read.only"):
        await database.read(hosts.renew_incarnation)
