"""Where image bytes are kept; drivers are named in the entry point group ``stackd.imagestores``.

Raises only ``errors.DriverFailure`` leaves. The image service calls it;
``stackd/testing/contracts/imagestore.py`` is the suite every driver passes.
"""

from collections.abc import AsyncIterator

from zope.interface import Interface


class IImageStore(Interface):
    """Bytes under keys of 1 to 64 characters from ``[0-9a-z.-]``, which begin with a digit or letter."""

    async def write(key: str, blocks: AsyncIterator[bytes]) -> int:
        """Keep all blocks under ``key``, visible only when complete, replacing what was there; the size in bytes.

        When ``blocks`` raises, nothing is kept and the error goes on.
        """

    def read(key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Blocks of at most 1 MiB from ``offset``; raises ``ImageVanished`` at the first when there is no such key."""

    async def size(key: str) -> int | None:
        """The size in bytes; None when there is no such key."""

    async def delete(key: str) -> None:
        """Remove the bytes; no error when there are none."""

    async def keys() -> tuple[str, ...]:
        """All complete keys, sorted; what others put in the same place is left out as far as it can be told."""

    async def sweep() -> None:
        """Remove what writers left that died; writes that go on are not disturbed."""
