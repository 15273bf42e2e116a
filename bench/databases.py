"""``python -m bench.databases``: what each database gives the control plane, as JSON lines.

The store alone, as API, scheduler and conductor use it, on servers of our own that wait for the disk as they do in
earnest; the clients, the server and the disk are this machine's.
"""

import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from bench.figures import Figure, say
from stackd.store import schema, stamps
from stackd.store.database import Database
from stackd.store.executors import ThreadExecutor
from stackd.testing.crowds import Crowd, in_turns
from stackd.testing.databases import drop
from stackd.testing.servers import SERVERS

LAUNCHES = 400
HOSTS = 40
BATCH = 64
THREADS = 8


async def measure(name: str, url: str) -> None:
    """Launch, claim and report on one database."""
    schema.upgrade(url)
    writers = 1 if name == "sqlite" else THREADS
    database = Database(url, reactor, ThreadExecutor(reactor, THREADS, "readers"),
                        ThreadExecutor(reactor, writers, "writers"), drop, stamps.flush)
    crowd = Crowd(database)
    await crowd.settle(HOSTS)
    await rate(f"{name}_launches", LAUNCHES, in_turns(lambda number: crowd.launch(f"n{number}"), LAUNCHES),
               "instances launched, one a request, by 16 clients in one project")
    pending = await crowd.pending()
    batches = [pending[start:start + BATCH] for start in range(0, LAUNCHES, BATCH)]
    await rate(f"{name}_claims", LAUNCHES, in_turns(lambda number: crowd.claim(batches[number]), len(batches), 4),
               f"instances given a host, {BATCH} a transaction, by 4 schedulers over {HOSTS} hosts")
    await rate(f"{name}_reports", LAUNCHES, in_turns(lambda number: crowd.report(f"host-{number}", 1), HOSTS, 8),
               f"instances fetched by their host and reported running, {LAUNCHES // HOSTS} a transaction")
    database.close()


async def rate(name: str, count: int, work: Awaitable[Any], meaning: str) -> None:
    """Await it and print how many a second, and the processor time this process took for one."""
    begun, before = time.monotonic(), time.process_time()
    await work
    taken, spent = time.monotonic() - begun, time.process_time() - before
    for figure in (Figure(name=name, value=count / taken, unit="1/s", meaning=meaning),
                   Figure(name=f"{name}_cpu", value=1000 * spent / count, unit="ms",
                          meaning="processor time of the client for each of them")):
        print(figure.line(), flush=True)


async def measure_all() -> None:
    """sqlite in a file, then each server."""
    with tempfile.TemporaryDirectory() as folder:
        say("sqlite")
        await measure("sqlite", f"sqlite:///{Path(folder) / 'stackd.db'}")
    for name, kind in SERVERS.items():
        say(name)
        server = kind(durable=True)
        try:
            server.start()
            await measure(name, server.create("stackd"))
        finally:
            server.wipe()


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    react(lambda _: Deferred.fromCoroutine(measure_all()))
