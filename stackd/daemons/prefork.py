"""A daemon on several processor cores: a master binds the sockets once and keeps workers that accept from them.

``stack-api`` is one where more than one worker is wanted. The master answers no request of users: it starts workers
(``preforked``), starts each that ended again, and ends with them. The standard input of a worker is a pipe that only
the master holds: closing it is how a worker is told to end, and a master that was killed closes it, too.
"""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from random import SystemRandom
from typing import Any

import orjson
from attrs import asdict, frozen
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from stackd.bus.amqp.connection import Backoff
from stackd.daemons.clockwatch import ClockWatch
from stackd.daemons.listening import bound

log = Logger()

FIRST_SOCKET = 3
LIVED_WELL = 10.0
"""A worker that lived for so long and ended is started again at once."""
BACKOFF = 0.2, 15.0
TO_LET_GO = 10.0
"""Beside its requests, a worker that is stopped has so long for everything else."""


@frozen(kw_only=True)
class Post:
    """What the master tells a worker: which one it is, its daemon, and the sockets it adopts, by their ports."""

    number: int
    daemon: str
    config: str | None
    sockets: Mapping[int, int]
    workers: int
    """How many there are."""
    monitor: str
    """The beginning of the names of the sockets where workers tell of themselves; their numbers follow."""
    shown_at: int = 0
    """The master's port of health and metrics; 0: there is none."""

    def dump(self) -> str:
        """As an argument."""
        return orjson.dumps(asdict(self), option=orjson.OPT_NON_STR_KEYS).decode()

    @classmethod
    def load(cls, text: str) -> "Post":
        """What was dumped."""
        told = orjson.loads(text)
        return cls(**told | {"sockets": {int(port): number for port, number in told["sockets"].items()}})


def wanted(number: int) -> int:
    """How many workers that is: 0 is one for each core we may use."""
    return number or len(os.sched_getaffinity(0))


class Master(MultiService):
    """Starts and stops workers; services added to it are the master's own."""

    def __init__(self, reactor: Any, posts: Sequence[Post], host: str, patience: float) -> None:
        """``posts`` are of one daemon at one ``host``; one that is to end has ``patience`` seconds for requests."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._host = host
        self._clock_watch = ClockWatch(reactor)
        self._sockets: dict[int, socket.socket] = {}
        self.workers = [Worker(reactor, post, self._sockets, patience) for post in posts]

    def privilegedStartService(self) -> None:
        """Bind; raises ``BadConfiguration`` where that cannot be."""
        for port in self.workers[0].post.sockets:
            self._sockets[port] = bound(self._host, port)
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Start the workers."""
        super().startService()  # type: ignore[no-untyped-call]
        self._clock_watch.start()
        for worker in self.workers:
            worker.start()

    def stopService(self) -> "Deferred[None]":
        """Take no more connections; fires when all workers have ended."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        for each in self._sockets.values():
            each.close()
        await gatherResults([ensureDeferred(worker.stop()) for worker in self.workers])
        await super().stopService()  # type: ignore[no-untyped-call]
        self._clock_watch.stop()


class Worker(ProcessProtocol):
    """One worker and its successors."""

    def __init__(self, reactor: Any, post: Post, sockets: Mapping[int, socket.socket], patience: float) -> None:
        """``sockets`` are bound by the time it starts."""
        self.post = post
        self._reactor = reactor
        self._sockets = sockets
        self._patience = patience
        self._backoff = Backoff(*BACKOFF, SystemRandom())
        self._process: Any = None
        self._began = 0.0
        self._again: Any = None
        self._ended: Deferred[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process, None while there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process; raises ``OSError`` where that cannot be."""
        self._began = self._reactor.seconds()
        files: dict[int, Any] = {0: "w", 1: 1, 2: 2}
        files |= {number: self._sockets[port].fileno() for port, number in self.post.sockets.items()}
        arguments = [sys.executable, "-m", "stackd.daemons.preforked", self.post.dump()]
        self._process = self._reactor.spawnProcess(self, sys.executable, arguments, env=None, childFDs=files)

    def processEnded(self, reason: Failure) -> None:
        """Start it again, unless that is what was wanted."""
        self._process = None
        if self._ended is not None:
            self._ended.callback(None)
            return
        if self._reactor.seconds() - self._began >= LIVED_WELL:
            self._backoff.reset()
        self._start_later(f"ended: {reason.getErrorMessage()}")

    def _start_later(self, trouble: str) -> None:
        seconds = self._backoff.next()
        log.error("Worker {number} is started again in {seconds} s; it {trouble}", number=self.post.number,
                  seconds=round(seconds, 2), trouble=trouble)
        self._again = self._reactor.callLater(seconds, self._start_again)

    def _start_again(self) -> None:
        try:
            self.start()
        except OSError as error:  # no memory, or too many processes or files: for now
            self._start_later(f"cannot be started: {error}")

    async def stop(self) -> None:
        """Ask it to end and wait; not for ever."""
        if self._again is not None and self._again.active():
            self._again.cancel()
        if self._process is None:
            return
        self._ended = Deferred()
        self._process.closeStdin()
        limit = self._reactor.callLater(self._patience + TO_LET_GO, self._kill)
        await self._ended
        if limit.active():
            limit.cancel()

    def _kill(self) -> None:
        log.error("Worker {number} does not end and is killed", number=self.post.number)
        self._process.signalProcess("KILL")
