"""Databases that are put back from copies; of sqlite, made and put back while it is open, for ``stackd reset``."""

import sqlite3
import time

from sqlalchemy.engine import make_url

from stackd.store import hosts
from stackd.store.database import Transaction
from stackd.store.engines import make_engine


def file_of(url: str) -> str:
    """The path of a sqlite database's file; empty for other databases and those in memory."""
    parsed = make_url(url)
    in_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return str(parsed.database) if in_file else ""


def copy(source: str, target: str) -> None:
    """Copy a database file into another, over what that held, while both may be open."""
    read, write = (sqlite3.connect(path, timeout=15) for path in (source, target))
    try:
        read.backup(write)
    finally:
        read.close()
        write.close()


def restored(url: str) -> None:
    """A copy was put back while no conductor runs: it is another incarnation of the cloud than hosts have heard of."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect().execution_options(stackd_write=True) as connection, connection.begin():
            hosts.renew_incarnation(Transaction(connection, time.time(), writing=True))
    finally:
        engine.dispose()
