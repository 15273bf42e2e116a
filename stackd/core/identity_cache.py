"""A small cache of answers from the database, so that most requests know their caller without a query.

An entry serves for a few seconds. Every change of identity made by this process empties the cache at once; changes
made by other processes are seen when entries have grown old. ``core.identity`` and its parts use it.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from stackd.interfaces.clock import Clock

T = TypeVar("T")

MAX_ENTRIES = 20_000


class Cache:
    """Key -> value, each for ``seconds``."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        """``seconds`` zero keeps nothing."""
        self._clock = clock
        self._seconds = seconds
        self._entries: dict[Hashable, tuple[float, Any]] = {}
        self._changes = 0

    async def get(self, key: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        """The value of ``key``, from ``load`` when there is none or it is old. Errors are not kept."""
        now = self._clock.seconds()
        kept = self._entries.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]  # type: ignore[no-any-return]
        before = self._changes
        value = await load()
        # What was read before a change must not outlive it.
        if before == self._changes:
            if len(self._entries) >= MAX_ENTRIES:
                self._entries.clear()
            self._entries[key] = (now + self._seconds, value)
        return value

    def clear(self) -> None:
        """Something changed: forget everything, also what is being loaded now."""
        self._changes += 1
        self._entries.clear()
