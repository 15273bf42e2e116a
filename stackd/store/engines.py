"""Engines with stackd's rules for each kind of database. ``store.database`` and ``store.schema`` call it.

sqlite: write-ahead log, and BEGIN IMMEDIATE for whoever writes. PostgreSQL and MariaDB or MySQL: writers at READ
COMMITTED, which wait for locks and then see what others committed; readers apart, read only, at REPEATABLE READ, so
that a function that reads several times sees one state.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from stackd import errors

BUSY_TIMEOUT_MS = 15_000
CONNECT_TIMEOUT = 5
POSTGRESQL, MARIADB, MYSQL, SQLITE = "postgresql", "mariadb", "mysql", "sqlite"
_DRIVERS = {POSTGRESQL: ("psycopg",), MARIADB: ("MySQLdb", "pymysql"), MYSQL: ("MySQLdb", "pymysql")}
_EXTRA = {POSTGRESQL: "postgresql", MARIADB: "mysql", MYSQL: "mysql"}
_LOCK_TIMEOUT = f"SET SESSION innodb_lock_wait_timeout = {BUSY_TIMEOUT_MS // 1000}"
# A value that does not fit is an error, never cut short. A client that vanished does not keep its locks for hours.
_ON_CONNECT = {
    POSTGRESQL: (f"SET lock_timeout = {BUSY_TIMEOUT_MS}", "SET idle_in_transaction_session_timeout = 60000"),
    MARIADB: ("SET SESSION sql_mode = 'TRADITIONAL'", _LOCK_TIMEOUT, "SET SESSION wait_timeout = 600"),
    MYSQL: ("SET SESSION sql_mode = 'TRADITIONAL'", _LOCK_TIMEOUT, "SET SESSION wait_timeout = 600"),
}
_READ_ONLY = {POSTGRESQL: "SET default_transaction_read_only = on", MARIADB: "SET SESSION TRANSACTION READ ONLY",
              MYSQL: "SET SESSION TRANSACTION READ ONLY"}


def is_sqlite(url: str) -> bool:
    """Whether the database is a file, or memory, of which one writes at a time."""
    return _parsed(url).get_backend_name() == SQLITE


def sqlite_file(url: str) -> Path | None:
    """The file of a sqlite database; None for one in memory, and for others."""
    parsed = _parsed(url)
    named = parsed.get_backend_name() == SQLITE and parsed.database and parsed.database != ":memory:"
    return Path(str(parsed.database)) if named else None


def make_engine(url: str, pool_size: int = 8, reading: bool = False) -> Engine:
    """An engine for those who write, or for those who only read; on sqlite one serves both.

    Raises ``BadConfiguration`` for an address of no database we know, and for a driver that is not installed.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == SQLITE:
        return _sqlite(parsed, pool_size)
    return _server(_with_driver(parsed), pool_size, reading)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise errors.BadConfiguration("The database's address cannot be parsed.") from error
    if parsed.get_backend_name() not in (SQLITE, *_DRIVERS):
        raise errors.BadConfiguration(f"stackd knows no database {parsed.get_backend_name()}.",
                                      remedy="Use sqlite, postgresql, mariadb or mysql.")
    return parsed


def _with_driver(parsed: URL) -> URL:
    """The address with a driver that is installed, and text as UTF-8."""
    backend = parsed.get_backend_name()
    if backend != POSTGRESQL:
        parsed = parsed.update_query_dict({"charset": "utf8mb4"} | dict(parsed.query))
    if "+" in parsed.drivername:
        return parsed
    driver = next((module for module in _DRIVERS[backend] if find_spec(module)), None)
    if driver is None:
        raise errors.BadConfiguration(f"No driver for {backend} is installed.",
                                      remedy=f"Install one: pip install 'stackd[{_EXTRA[backend]}]'.")
    return parsed.set(drivername=f"{backend}+{driver.lower()}")


def _server(parsed: URL, pool_size: int, reading: bool) -> Engine:
    backend = parsed.get_backend_name()
    # Errors are logged: they must not quote user data and hashes.
    engine = create_engine(parsed, pool_size=pool_size, pool_pre_ping=True, hide_parameters=True,
                           connect_args={"connect_timeout": CONNECT_TIMEOUT},
                           isolation_level="REPEATABLE READ" if reading else "READ COMMITTED")
    statements = (*_ON_CONNECT[backend], _READ_ONLY[backend]) if reading else _ON_CONNECT[backend]
    event.listen(engine, "connect", lambda connection, record: _prepare_server(connection, statements))
    return engine


def _prepare_server(connection: Any, statements: Sequence[str]) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()


def _sqlite(parsed: URL, pool_size: int) -> Engine:
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}, "hide_parameters": True}
    if parsed.database in (None, "", ":memory:"):
        options["poolclass"] = StaticPool
    else:
        options |= {"pool_size": pool_size, "max_overflow": 4}
    engine = create_engine(parsed, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    # busy_timeout first: the other pragmas can already meet a lock.
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("stackd_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
