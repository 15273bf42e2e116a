"""Slots for builds: at most so many guests are prepared or started at once, first come, first served.

A key that gets no slot does not wait with its turn held: it goes to rest and is woken when a slot is its own, so
that its deletion, or a newer wish, never stands in line behind other guests' downloads.
"""

from collections.abc import Callable


class Slots:
    """Counts slots by key."""

    def __init__(self, most: int, wake: Callable[[str], None]) -> None:
        """``wake`` is called with a key that has a slot now."""
        self._free = most
        self._wake = wake
        self._waiting: dict[str, None] = {}
        self._granted: set[str] = set()

    def take(self, key: str) -> bool:
        """Whether the key may build now; otherwise it stands in line."""
        if key in self._granted:
            self._granted.discard(key)
        elif self._free:
            self._free -= 1
        else:
            self._waiting[key] = None
            return False
        return True

    def give_back(self) -> None:
        """A build has ended."""
        key = next(iter(self._waiting), None)
        if key is None:
            self._free += 1
            return
        del self._waiting[key]
        self._granted.add(key)
        self._wake(key)

    def forgo(self, key: str) -> None:
        """The key wants no slot any more."""
        self._waiting.pop(key, None)
        if key in self._granted:
            self._granted.discard(key)
            self.give_back()
