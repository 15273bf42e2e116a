"""Ids of images by the beginning that EC2 shows, for image services that cannot look them up themselves.

``http.py`` notes every id it meets; what it never met it looks for in pages, once at a time and not without end.
"""

from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable, Sequence

from twisted.internet.defer import DeferredLock

MOST = 100_000
"""Ids noted; 32 bytes each and as much again."""
Pages = Callable[[str], AsyncIterator[Sequence[str]]]


class Prefixes:
    """Ids met so far, in order."""

    def __init__(self, most: int = MOST) -> None:
        """Above ``most`` ids it begins anew."""
        self._ids: list[str] = []
        self._most = most
        self._looking = DeferredLock()

    def note(self, id: str) -> None:
        """Remember an id."""
        place = bisect_left(self._ids, id)
        if place < len(self._ids) and self._ids[place] == id:
            return
        if len(self._ids) >= self._most:
            self._ids.clear()
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
            found = self.within(low, high)
            if found is not None:
                return found
            async for page in pages(high):
                for id in page:
                    self.note(id)
            return self.within(low, high)
        finally:
            self._looking.release()
