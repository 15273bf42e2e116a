"""What a real host must have running, looked after every few seconds: its libvirtd is nobody else's to start again.

``hosts`` adds it where the host has one of its own. It looks in a thread, for starting one takes seconds.
"""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from stackd import errors
from stackd.interfaces.clock import Clock
from stackd.store.executors import Executor

log = Logger()
INTERVAL_SECONDS = 3.0


class Upkeep(Service):
    """Calls ``ensure`` again and again; one that fails is logged, the next one tries again."""

    def __init__(self, ensure: Callable[[], str], threads: Executor, clock: Clock) -> None:
        """``ensure`` blocks; it gives the name of what it had to start, or ''."""
        self._ensure = ensure
        self._threads = threads
        self._loop = LoopingCall(lambda: ensureDeferred(self._once()))
        self._loop.clock = clock  # type: ignore[assignment]
        self._ended: Deferred[Any] = succeed(None)

    def startService(self) -> None:
        """Begin with a look."""
        super().startService()  # type: ignore[no-untyped-call]
        self._ended = self._loop.start(INTERVAL_SECONDS)

    def stopService(self) -> "Deferred[Any]":
        """Fires when the look that runs has ended."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._loop.running:
            self._loop.stop()
        return self._ended

    async def _once(self) -> None:
        try:
            started = await self._threads.run(self._ensure)
        except errors.StackdError as error:
            log.warn("What this host needs does not run, it is tried again: {error}", error=str(error))
        except Exception:
            log.failure("looking after what this host needs failed, it is tried again")
        else:
            if started:
                log.warn("{name} of this host had ended; it was started again", name=started)
