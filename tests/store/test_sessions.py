"""Reports of sessions that nobody began are dropped, so that no row becomes deaf to the host's next session."""

import pytest_twisted

from stackd.model.assignments import Hello, Report
from stackd.store import hosts, sessions
from stackd.store.database import Database


def said(host: str, worker: str, session: int) -> Report:
    return Report(host=host, worker=worker, session=session, counter=1)


@pytest_twisted.ensureDeferred
async def test_only_sessions_that_were_begun_are_heard(database: Database) -> None:
    assert [await database.write(hosts.hello, Hello(host="h1", worker="compute"), {}) for _ in range(2)] == [1, 2]
    reports = [said("h1", "compute", session) for session in (1, 2, 3, 10**9)] + [
        said("h1", "network", 7), said("h2", "compute", 7)]
    assert await database.read(sessions.begun, reports) == [reports[0], reports[1], reports[4], reports[5]]
