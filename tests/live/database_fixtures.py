"""Databases on real servers, and sqlite in a file, for live tests; imported by the modules that need them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor

from stackd.store import schema, stamps
from stackd.store.database import Database
from stackd.store.executors import ThreadExecutor
from stackd.testing.databases import clear, drop
from stackd.testing.servers import SERVERS, DatabaseServer

THREADS = 8
_running: dict[str, tuple[DatabaseServer, str]] = {}


class SqliteFiles:
    """What stands in for a server where there is none."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        """Files are made in ``folder``."""
        self._folder = folder

    def start(self) -> None:
        """Nothing runs."""

    def stop(self, crash: bool = False) -> None:
        """Nothing ran."""

    def create(self, database: str) -> str:
        """The URL of a file that does not exist yet."""
        return f"sqlite:///{self._folder / database}.db"

    def wipe(self) -> None:
        """The folder goes by itself."""


@pytest.fixture(scope="session", params=["postgresql", "mariadb", "sqlite"])
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DatabaseServer:
    """A running database server of each kind, and sqlite; the modules of one run share them."""
    name = request.param
    if name not in _running:
        made = SERVERS[name]() if name in SERVERS else SqliteFiles(tmp_path_factory.mktemp("sqlite"))
        request.config.add_cleanup(made.wipe)
        made.start()
        url = made.create("stackd")
        schema.upgrade(url)
        _running[name] = made, url
    return _running[name][0]


@pytest.fixture(scope="session")
def url(any_server: DatabaseServer) -> str:
    """A database of the server with the whole schema, of which nothing may be changed but rows."""
    return _running[any_server.name][1]


def threaded(url: str, threads: int = THREADS) -> Database:
    """The database as daemons have it: transactions run side by side in threads, but on sqlite one at a time."""
    writers = 1 if url.startswith("sqlite") else threads
    return Database(url, reactor, ThreadExecutor(reactor, threads, "readers"),
                    ThreadExecutor(reactor, writers, "writers"), drop, stamps.flush, pool_size=threads)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty database, used by many threads at once."""
    made = threaded(url)
    clear(made.engine)
    yield made
    made.close()
