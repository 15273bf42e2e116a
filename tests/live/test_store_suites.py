"""The suites of the store and of the use cases, which run on sqlite in memory, on real servers; and the migrations."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pytest_twisted import ensureDeferred
from sqlalchemy import func, select

from stackd import errors
from stackd.store import schema
from stackd.store.engines import make_engine
from stackd.store.tables.complete import complete_metadata
from stackd.store.tables.identity import projects
from stackd.testing.crowds import Crowd, together
from stackd.testing.databases import VARIABLE, clear
from stackd.testing.servers import DatabaseServer
from tests.live.database_fixtures import any_server, threaded, url

__all__ = ["any_server", "url"]

ROOT = Path(__file__).parent.parent.parent
SUITES = ("tests/store", *(f"tests/core/test_{name}.py" for name in ("addresses", "networks", "ports", "subnets")))
# Of the random histories one is enough here.
CHOSEN = "not nothing_leaks or [0]"
TIMEOUT = 600


@pytest.mark.parametrize("any_server", ["postgresql", "mariadb"], indirect=True)
def test_the_suites_pass(any_server: DatabaseServer, url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", CHOSEN, *SUITES], cwd=ROOT,
        env=os.environ | {VARIABLE: url}, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout[-5000:]
    # They ran there and nowhere else: the last of them left its rows.
    opened = make_engine(url)
    with opened.connect() as connection:
        rows = [connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in complete_metadata().sorted_tables]
    opened.dispose()
    assert sum(rows)


def test_many_daemons_upgrade_an_empty_database_at_once(any_server: DatabaseServer) -> None:
    url = any_server.create("empty")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.upgrade, [url] * 4))
    assert schema.version(url) == schema.newest() is not None


def test_an_upgraded_database_is_what_the_sources_say(url: str) -> None:
    opened = make_engine(url)
    with opened.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, complete_metadata()) == []
    opened.dispose()


def test_names_that_differ_in_case_or_script_are_different_names(url: str) -> None:
    opened = make_engine(url)
    names = ["Demo", "demo", "démo", "\N{SNOWMAN}", "\N{GRINNING FACE}"]
    with opened.connect() as connection:
        connection.begin()
        connection.execute(projects.insert(), [
            {"id": str(number), "name": name, "account": str(number)} for number, name in enumerate(names)])
        found = [connection.execute(select(projects.c.name).where(projects.c.name == name)).scalars().all()
                 for name in names]
    opened.dispose()
    assert found == [[name] for name in names]


@pytest.mark.parametrize("any_server", ["postgresql", "mariadb"], indirect=True)
def test_an_upgrade_without_a_database_says_what_to_do(url: str) -> None:
    nobody = re.sub("//[^@]*@", "//nobody:wrong@", url)
    with pytest.raises(errors.DatabaseUnavailable, match="nobody.*mend the key url"):
        schema.upgrade(nobody)


@ensureDeferred
@pytest.mark.parametrize("any_server", ["mariadb"], indirect=True)
async def test_a_driver_in_python_alone_serves_too(url: str) -> None:
    database = threaded(url.replace("mariadb:", "mariadb+pymysql:"))
    clear(database.engine)
    crowd = Crowd(database)
    await crowd.settle()
    _, failed = await together(crowd.launch() for _ in range(10))
    won = await crowd.claim(await crowd.pending())
    database.close()
    assert (failed, len(won)) == ([], 10)


@pytest.mark.parametrize(("url", "remedy"), [
    ("oracle://there/stackd", "sqlite, postgresql, mariadb or mysql"), ("nonsense", None)])
def test_an_address_of_no_known_database_is_refused(url: str, remedy: str | None) -> None:
    with pytest.raises(errors.BadConfiguration, match=remedy):
        make_engine(url)
