"""The schema's versions: upgrade a database, or ask which version it has. ``stackd db`` and the daemons call it.

``make migration NAME=words`` writes the next migration from what the tables say now: :func:`draft`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, exc
from twisted.logger import Logger

from stackd import errors
from stackd.store.engines import MARIADB, MYSQL, POSTGRESQL, make_engine, sqlite_file
from stackd.store.troubles import Trouble, trouble_of

log = Logger()
SCRIPTS = Path(__file__).parent / "migrations"
PATIENCE = 300
"""Seconds one daemon waits for another one that is upgrading the database."""
# MariaDB and MySQL end a transaction at each change of the schema: their lock is the connection's.
_ONE_AT_A_TIME = {POSTGRESQL: f"SET lock_timeout = {1000 * PATIENCE}; SELECT pg_advisory_xact_lock(7828229)",
                  MARIADB: f"SELECT GET_LOCK('stackd schema', {PATIENCE})",
                  MYSQL: f"SELECT GET_LOCK('stackd schema', {PATIENCE})"}
# Names that differ in case are different names; the tables made later take this over.
_TEXT = "ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def upgrade(url: str) -> None:
    """Bring the database to the newest version; nothing happens when it is there already.

    A newer one is left as it is: the next release only adds, so daemons of this one go on meanwhile. Any number of
    daemons may call it at once. Raises ``DatabaseUnavailable``, and ``BadConfiguration`` for a file that cannot be had.
    """
    config = alembic_config()
    with _engine(url) as engine:
        if file := sqlite_file(url):
            _make_private(file)
        with engine.connect().execution_options(stackd_write=True) as connection, connection.begin():
            prepare(connection)
            if not _is_newer(MigrationContext.configure(connection).get_current_revision()):
                config.attributes["connection"] = connection
                command.upgrade(config, "head")


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    """For a moment."""
    engine = make_engine(url, pool_size=1)
    try:
        yield engine
    except exc.OperationalError as error:
        if trouble_of(error) is not Trouble.AWAY:
            raise
        raise errors.DatabaseUnavailable(f"The database does not answer: {str(error.orig).strip()}.",
                                         remedy="Start it, or mend the key url of the section database.") from error
    finally:
        engine.dispose()


def _make_private(file: Path) -> None:
    """Make the file its owner's alone; what sqlite makes beside it is then so, too."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        file.chmod(0o600)
    except OSError as error:
        raise errors.BadConfiguration(f"The database {file} cannot be opened: {error.strerror}.", remedy=(
            "Make its folder, and run this as the user whose it is; or mend the key url of the section database.")
            ) from error


def _is_newer(version: str | None) -> bool:
    """Whether a later release made this version; versions are numbered."""
    known = newest()
    if version is None or known is None or version <= known:
        return False
    log.warn("The database has version {version} of a later release, this one knows {known}; it is used as it is",
             version=version, known=known)
    return True


def prepare(connection: Connection) -> None:
    """Wait until nobody else changes this database's schema, and say how it keeps text."""
    dialect = connection.dialect.name
    if dialect in _ONE_AT_A_TIME:
        connection.exec_driver_sql(_ONE_AT_A_TIME[dialect])
    if dialect in (MARIADB, MYSQL):
        connection.exec_driver_sql(_TEXT)


def version(url: str) -> str | None:
    """The version the database has; None when it has no schema of ours. Raises ``DatabaseUnavailable``."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return None  # sqlite would make it
    with _engine(url) as engine, engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The version this release needs."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def draft(words: str) -> None:
    """Write the migration from the last version to the tables of the sources; read it before it is committed."""
    engine = make_engine("sqlite://")
    config = alembic_config()
    number = sum(1 for _ in ScriptDirectory.from_config(config).walk_revisions()) + 1
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        command.revision(config, words, autogenerate=True, rev_id=f"{number:04}")
    engine.dispose()


def alembic_config() -> Config:
    """Where alembic finds the migrations; no ini file."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


if __name__ == "__main__":
    draft(" ".join(sys.argv[1:]))
