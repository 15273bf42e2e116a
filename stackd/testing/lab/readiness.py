"""Whether a site may be used: its APIs say that they are well, and every host has said hello."""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from stackd.store import hosts
from stackd.store.database import Transaction
from stackd.store.engines import make_engine


def wait_until(missing: Callable[[], list[str]], seconds: float) -> None:
    """Wait until nothing is missing; raises ``RuntimeError`` with what still is."""
    deadline = time.monotonic() + seconds
    while lacking := missing():
        if time.monotonic() > deadline:
            raise RuntimeError(f"Not ready within {seconds:.0f} s: {', '.join(lacking[:20])}")
        time.sleep(0.1)


def unwell(urls: Iterable[str]) -> list[str]:
    """Those whose ``/healthz`` is not content."""
    return [url for url in urls if not _healthy(url)]


def without(paths: Iterable[Path]) -> list[str]:
    """Those that are not there."""
    return [str(path) for path in paths if not path.exists()]


def silent(database_url: str, names: Iterable[str], since: float) -> list[str]:
    """The hosts that did not say since then that they live and what they have room for."""
    engine = make_engine(database_url, 1)
    try:
        with engine.connect() as connection:
            known = hosts.listed(Transaction(connection, time.time()), 0.0)
            heard = {host.name for host in known if host.last_seen >= since and host.vcpus}
            return sorted(set(names) - heard)
    except SQLAlchemyError:
        return [database_url.rpartition("@")[2]]
    finally:
        engine.dispose()


def _healthy(url: str) -> bool:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=5.0)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (HTTPException, OSError):
        return False
    finally:
        connection.close()
