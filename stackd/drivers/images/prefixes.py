"""Ids of images by the beginning that EC2 shows, for image services that cannot look them up themselves.

``http.py`` notes every id it meets; what it never met it looks for in pages, once at a time and not without end. What
was not found then is missing for a while: many ids that no image has cost two searches, not one each.
"""

from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable, Sequence

from twisted.internet.defer import DeferredLock

from stackd import errors
from stackd.interfaces.clock import Clock

LAST = "f" * 32
MISSING_FOR = 30.0
"""Seconds for which a search tells what is not there."""
MOST = 100_000
"""Ids noted; 32 bytes each and as much again."""
Pages = Callable[[str], AsyncIterator[Sequence[str]]]


class Prefixes:
    """Ids met so far, in order."""

    def __init__(self, clock: Clock, most: int = MOST) -> None:
        """Above ``most`` ids it begins anew."""
        self._clock = clock
        self._ids: list[str] = []
        self._searched, self._until = "", 0.0
        self._forgotten = 0
        self._most = most
        self._looking = DeferredLock()

    def note(self, id: str) -> None:
        """Remember an id."""
        place = bisect_left(self._ids, id)
        if place < len(self._ids) and self._ids[place] == id:
            return
        if len(self._ids) >= self._most:
            self._ids.clear()
            self._searched = ""
            self._forgotten += 1
        insort(self._ids, id)

    def within(self, low: str, high: str) -> str | None:
        """A noted id in [low, high]."""
        place = bisect_left(self._ids, low)
        return self._ids[place] if place < len(self._ids) and self._ids[place] <= high else None

    async def find(self, low: str, high: str, pages: Pages) -> str | None:
        """A noted id in [low, high], else one from ``pages(high)``: lists of ids in order, which are noted."""
        found = self.within(low, high)
        if found is not None:
            return found
        await self._looking.acquire()
        try:
            return self.within(low, high) or await self._searched_for(low, high, pages)
        finally:
            self._looking.release()

    async def _searched_for(self, low: str, high: str, pages: Pages) -> str | None:
        searched = self._searched if self._clock.seconds() < self._until else ""
        if high <= searched:
            return None
        # After one search many more may be asked for: then all there are are looked through.
        reach = LAST if searched else high
        begun, forgotten = self._clock.seconds(), self._forgotten
        try:
            async for page in pages(reach):
                for id in page:
                    self.note(id)
        except errors.NotSupported:
            # It reached as far as it can, which may be far enough.
            if self.within(low, high) is None:
                raise
        else:
            if self._forgotten == forgotten:
                self._searched, self._until = reach, begun + MISSING_FOR
        return self.within(low, high)
