"""The body of one HTTP answer, taken as it comes: a bounded part is held, and who stops sending is not waited for.

``asking.py`` makes one for each answer; JSON is gathered from it, image bytes are handed on.
"""

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from stackd.interfaces.clock import Clock

BLOCK = 1 << 20
HELD = 4 << 20
"""Above so many bytes the other side is made to wait."""


class BodyLost(Exception):
    """The body ended before its end, or nothing came for too long."""


class Inflow(Protocol):
    """One body; :meth:`take` until it gives nothing."""

    def __init__(self, clock: Clock, patience: float) -> None:
        """``patience`` is how many seconds may pass without a byte."""
        self._clock = clock
        self._patience = patience
        self._held = bytearray()
        self._paused = False
        self._end: Failure | None = None
        self._reader: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self._held += data
        if len(self._held) > HELD and not self._paused:
            self._paused = True
            self._producer().pauseProducing()
        self._wake()

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:
        """No more will come."""
        self._end = reason
        self._wake()

    async def take(self) -> bytes:
        """The next bytes, at most 1 MiB, none at the end; raises ``BodyLost``."""
        while not self._held:
            if self._end is not None:
                # Without a length the end of the connection is that of the body.
                if self._end.check(ResponseDone, PotentialDataLoss):
                    return b""
                raise BodyLost(f"the connection was lost: {self._end.getErrorMessage()}")
            await self._more()
        block = bytes(self._held[:BLOCK])
        del self._held[:BLOCK]
        if self._paused and not self._held:
            self._paused = False
            self._producer().resumeProducing()
        return block

    def stop(self) -> None:
        """Nobody reads on; harmless at the end."""
        if self._end is None:
            self._producer().stopProducing()

    async def _more(self) -> None:
        self._reader = Deferred()
        self._reader.addTimeout(self._patience, self._clock)  # type: ignore[arg-type]
        try:
            await self._reader
        except TimeoutError:
            self.stop()
            raise BodyLost(f"nothing came for {self._patience:g} s") from None
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.called:
            self._reader.callback(None)

    def _producer(self) -> Any:
        return self.transport
