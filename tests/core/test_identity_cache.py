"""The cache of callers: fresh for a while, empty after a change, and never wiser than the database."""

from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred
from twisted.internet.defer import ensureDeferred as start
from twisted.internet.task import Clock

from stackd.core.identity_cache import MAX_ENTRIES, Cache


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        """Not asked yet."""
        self.asked = 0

    async def load(self) -> int:
        """The number of times asked."""
        self.asked += 1
        return self.asked


@ensureDeferred
async def test_a_value_serves_until_it_is_old() -> None:
    clock, source = Clock(), Source()
    cache = Cache(clock, 3.0)
    assert [await cache.get("k", source.load) for _ in range(3)] == [1, 1, 1]
    clock.advance(2.9)
    assert await cache.get("k", source.load) == 1
    clock.advance(0.1)
    assert await cache.get("k", source.load) == 2


@ensureDeferred
async def test_a_change_empties_it() -> None:
    cache, source = Cache(Clock(), 3.0), Source()
    await cache.get("k", source.load)
    cache.clear()
    assert await cache.get("k", source.load) == 2


@ensureDeferred
async def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    cache, slow, source = Cache(Clock(), 3.0), Deferred[str](), Source()

    async def load() -> str:
        return await slow

    reading = start(cache.get("k", load))
    cache.clear()
    slow.callback("old")
    assert await reading == "old"
    assert await cache.get("k", source.load) == 1


@ensureDeferred
async def test_it_does_not_grow_without_end() -> None:
    cache, source = Cache(Clock(), 3.0), Source()
    for number in range(MAX_ENTRIES + 10):
        await cache.get(number, source.load)
    assert len(cache._entries) <= MAX_ENTRIES
