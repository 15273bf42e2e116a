"""What every image store must do: a suite for ``IImageStore``.

A test module derives :class:`ImageStoreContract`; pytest does the rest.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar, cast

import pytest
import pytest_twisted
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.interfaces.imagestore import IImageStore

MIB = 1 << 20
Test = TypeVar("Test", bound=Callable[..., Any])


def awaiting(test: Test) -> Test:
    """Let pytest wait for a coroutine."""
    return cast(Test, pytest_twisted.ensureDeferred(test))


async def blocks_of(*blocks: bytes) -> AsyncIterator[bytes]:
    """The given blocks, one by one."""
    for block in blocks:
        yield block


async def broken_after(*blocks: bytes) -> AsyncIterator[bytes]:
    """The given blocks, then a lost connection."""
    for block in blocks:
        yield block
    raise ConnectionResetError("the client went away")


async def gather(blocks: AsyncIterator[bytes]) -> bytes:
    """All blocks as one; fails when one is empty or larger than allowed."""
    gathered = b""
    async for block in blocks:
        assert 0 < len(block) <= MIB
        gathered += block
    return gathered


class ImageStoreContract:
    """Derive, define ``store`` (a fixture) and ``rebuilt(store)``, the same place seen by a new driver object."""

    def rebuilt(self, store: Any) -> Any:
        """A new driver object over the same place; for stores that die with their object, the object itself."""
        raise NotImplementedError

    def test_interface(self, store: Any) -> None:
        """The driver provides its interface with the right signatures."""
        assert verifyObject(IImageStore, store)

    @awaiting
    async def test_bytes_come_back(self, store: Any) -> None:
        """What was written is read, sized and listed, also by a rebuilt driver."""
        assert await store.write("one", blocks_of(b"hello ", b"world")) == 11
        again = self.rebuilt(store)
        assert await gather(again.read("one")) == b"hello world"
        assert await again.size("one") == 11
        assert await again.keys() == ("one",)

    @awaiting
    async def test_large_bytes_come_in_blocks(self, store: Any) -> None:
        """Bytes larger than a block come back whole, in blocks of at most 1 MiB."""
        content = bytes(range(256)) * 4096 * 2 + b"end"
        await store.write("large", blocks_of(content))
        assert await gather(store.read("large")) == content

    @awaiting
    async def test_ranges(self, store: Any) -> None:
        """A part is what slicing gives; beyond the end there is nothing."""
        await store.write("k", blocks_of(b"0123456789"))
        assert await gather(store.read("k", 3)) == b"3456789"
        assert await gather(store.read("k", 3, 4)) == b"3456"
        assert await gather(store.read("k", 8, 100)) == b"89"
        assert await gather(store.read("k", 100)) == b""
        assert await gather(store.read("k", 3, 0)) == b""

    @awaiting
    async def test_empty(self, store: Any) -> None:
        """No bytes at all are bytes too."""
        assert await store.write("empty", blocks_of()) == 0
        assert await store.size("empty") == 0
        assert await gather(store.read("empty")) == b""

    @awaiting
    async def test_write_twice_replaces(self, store: Any) -> None:
        """The second write wins; a reader of the first is not disturbed."""
        await store.write("k", blocks_of(b"first"))
        reader = store.read("k")
        assert await reader.__anext__() == b"first"
        await store.write("k", blocks_of(b"the second"))
        await reader.aclose()
        assert await gather(store.read("k")) == b"the second"

    @awaiting
    async def test_broken_write_keeps_nothing(self, store: Any) -> None:
        """When the source fails, its own error comes out and nothing is kept, nor is what was there lost."""
        with pytest.raises(ConnectionResetError):
            await store.write("new", broken_after(b"half"))
        assert await store.size("new") is None
        await store.write("old", blocks_of(b"whole"))
        with pytest.raises(ConnectionResetError):
            await store.write("old", broken_after(b"half"))
        assert await gather(self.rebuilt(store).read("old")) == b"whole"
        assert await store.keys() == ("old",)

    @awaiting
    async def test_sweeping_disturbs_nobody(self, store: Any) -> None:
        """Neither what is complete nor what is being written, here or seen from elsewhere."""
        await store.write("old", blocks_of(b"whole"))

        async def swept_midway() -> AsyncIterator[bytes]:
            yield b"first "
            await store.sweep()
            await self.rebuilt(store).sweep()
            yield b"second"

        await store.write("new", swept_midway())
        assert [await gather(store.read(key)) for key in await store.keys()] == [b"first second", b"whole"]

    @awaiting
    async def test_unknown_key(self, store: Any) -> None:
        """No size, nothing to delete, and reading says that the image vanished."""
        assert await store.size("nobody") is None
        await store.delete("nobody")
        with pytest.raises(errors.ImageVanished):
            await gather(store.read("nobody"))

    @awaiting
    async def test_delete_twice(self, store: Any) -> None:
        """Deleted bytes are gone, and deleting again is no error."""
        await store.write("k", blocks_of(b"x"))
        await store.delete("k")
        await store.delete("k")
        assert await store.size("k") is None
        assert await self.rebuilt(store).keys() == ()

    @pytest.mark.parametrize("key", ["", ".hidden", "../up", "a/b", "A", "a" * 65, "a\n", "-a"])
    @awaiting
    async def test_bad_keys(self, store: Any, key: str) -> None:
        """A key outside the rule is refused by every verb."""
        with pytest.raises(errors.PermanentFailure):
            await store.write(key, blocks_of(b"x"))
        with pytest.raises(errors.PermanentFailure):
            await gather(store.read(key))
        with pytest.raises(errors.PermanentFailure):
            await store.size(key)
        with pytest.raises(errors.PermanentFailure):
            await store.delete(key)
        assert await store.keys() == ()
