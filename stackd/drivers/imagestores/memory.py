"""Image bytes in memory: for tests and for a cloud of fakes, gone with the process.

The image service calls it. It passes the same contract suite as every store.
"""

from collections.abc import AsyncIterator

from zope.interface import implementer

from stackd.drivers.imagestores import keys
from stackd.interfaces.imagestore import IImageStore

BLOCK = 1 << 20


@implementer(IImageStore)
class MemoryImageStore:
    """A dictionary of bytes."""

    def __init__(self) -> None:
        """Begins empty."""
        self._kept: dict[str, bytes] = {}

    async def write(self, key: str, blocks: AsyncIterator[bytes]) -> int:
        """Gather all blocks, then show them under ``key``."""
        keys.check(key)
        gathered = bytearray()
        async for block in blocks:
            gathered += block
        self._kept[key] = bytes(gathered)
        return len(gathered)

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Blocks from ``offset``."""
        if keys.check(key) not in self._kept:
            raise keys.vanished(key)
        content = self._kept[key]
        end = len(content) if length is None else min(len(content), offset + length)
        for start in range(offset, end, BLOCK):
            yield content[start:min(start + BLOCK, end)]

    async def size(self, key: str) -> int | None:
        """The size in bytes."""
        content = self._kept.get(keys.check(key))
        return None if content is None else len(content)

    async def delete(self, key: str) -> None:
        """Forget the bytes."""
        self._kept.pop(keys.check(key), None)

    async def keys(self) -> tuple[str, ...]:
        """All keys, sorted."""
        return tuple(sorted(self._kept))

    async def sweep(self) -> None:
        """Writers die with the store."""
