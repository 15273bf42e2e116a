"""Gathering: requests that arrive while a transaction runs go into the next one together.

Used by the conductor for fetches and for reports: under load one transaction serves hundreds of hosts, on an idle
cloud nobody waits for a timer.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet import defer

Q = TypeVar("Q")
A = TypeVar("A")


class Gathering(Generic[Q, A]):
    """Calls ``serve`` with everything that waits, one call at a time; answers come back in the same order."""

    def __init__(self, serve: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], most: int = 200) -> None:
        """At most ``most`` requests go into one call."""
        self._serve = serve
        self._most = most
        self._waiting: list[tuple[Q, defer.Deferred[A]]] = []
        self._running = False
        self.served = 0
        """Requests that were given to ``serve``; one that is tried again counts again."""
        self.batches = 0
        """Calls of ``serve``."""
        self.largest = 0
        """The most requests of one call."""

    @property
    def waiting(self) -> int:
        """How many requests wait for the next call."""
        return len(self._waiting)

    async def ask(self, request: Q) -> A:
        """Wait for the answer to one request."""
        answer: defer.Deferred[A] = defer.Deferred()
        self._waiting.append((request, answer))
        if not self._running:
            self._running = True
            defer.ensureDeferred(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:self._most], self._waiting[self._most:]
            await self._serve_halving(batch)
        self._running = False

    async def _serve_halving(self, batch: list[tuple[Q, "defer.Deferred[A]"]]) -> None:
        """Serve a batch; when it fails, its halves, until what fails stands alone with its error."""
        self.batches += 1
        self.served += len(batch)
        self.largest = max(self.largest, len(batch))
        try:
            answers = await self._serve([request for request, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].errback(error)
                return
            middle = len(batch) // 2
            await self._serve_halving(batch[:middle])
            await self._serve_halving(batch[middle:])
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            waiting.callback(answer)
