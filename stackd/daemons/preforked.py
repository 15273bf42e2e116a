"""One worker of a daemon that answers with several processes; ``prefork`` starts it: ``python -m`` this module.

The end of the master, and SIGTERM, end it as any daemon: it takes no more connections and finishes what it is at.
"""

import contextlib
import importlib
import os
import sys
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from stackd.daemons import logging
from stackd.daemons.prefork import Post
from stackd.errors import StackdError

log = Logger()


class Lifeline:
    """The standard input as the reactor reads it: nothing ever comes, until the master is gone."""

    def __init__(self, reactor: Any) -> None:
        """Stops the reactor then."""
        self._reactor = reactor

    def fileno(self) -> int:
        """Of the standard input."""
        return 0

    def doRead(self) -> None:
        """Only the end can come."""
        if not os.read(0, 1):
            self._reactor.removeReader(self)
            self.connectionLost(None)

    def connectionLost(self, reason: Any) -> None:
        """Nobody can write any more."""
        if self._reactor.running:
            log.info("The master ends, or is gone; this worker ends as well")
            with contextlib.suppress(ReactorNotRunning):  # told twice
                self._reactor.stop()

    def logPrefix(self) -> str:
        """For the log."""
        return "lifeline"


def run(post: Post) -> int:
    """Until told to stop; the exit status."""
    from twisted.internet import reactor

    turning: Any = reactor
    logging.begin_daemon()
    failed: list[int] = []

    def begin(service: Service) -> None:
        try:
            service.privilegedStartService()  # type: ignore[no-untyped-call]
            service.startService()  # type: ignore[no-untyped-call]
        except Exception:
            log.failure("Worker {number} cannot start", number=post.number)
            failed.append(1)
            turning.stop()

    try:
        service = importlib.import_module(f"stackd.daemons.{post.daemon}").worker(post)
    except StackdError as error:
        log.error("Worker {number} cannot start: {error}", number=post.number, error=str(error))
        return 1
    turning.callWhenRunning(begin, service)
    turning.addSystemEventTrigger("before", "shutdown", lambda: maybeDeferred(service.stopService))
    turning.addReader(Lifeline(turning))
    turning.run()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run(Post.load(sys.argv[1])))
