"""Copies of a sqlite database, made and put back while it is open; for ``stackd reset``."""

import sqlite3

from sqlalchemy.engine import make_url


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
