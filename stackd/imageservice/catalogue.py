"""The image service seen by core and hosts in the same process: the driver ``local`` of ``stackd.images``.

Core asks it for images before it launches; the hosts' caches read bytes through it. A Glance elsewhere would be
another provider of the same interface.
"""

from collections.abc import AsyncIterator

from zope.interface import implementer

from stackd.imageservice.content import Content
from stackd.interfaces.images import IImages
from stackd.interfaces.imageservice import IRegistry
from stackd.model.callers import Caller
from stackd.model.images import Image, ImageQuery
from stackd.model.paging import Page, PageRequest


@implementer(IImages)
class Catalogue:
    """Questions go to the registry, bytes come from the store."""

    def __init__(self, registry: IRegistry, content: Content) -> None:
        """Both are the running service's own."""
        self._registry = registry
        self._content = content

    async def show(self, caller: Caller, image_id: str) -> Image:
        """One image the caller may see."""
        return await self._registry.show(caller, image_id)

    async def find(self, caller: Caller, low: str, high: str) -> Image:
        """The one image with an id in the range."""
        return await self._registry.find(caller, low, high)

    async def list(self, caller: Caller, page: PageRequest) -> Page[Image]:
        """Images the caller may see, newest first unless reversed."""
        newest_first = not page.reverse
        return await self._registry.list(caller, ImageQuery(
            sort=(("created_at", newest_first), ("id", newest_first)), limit=page.limit, marker=page.marker))

    async def read(self, image_id: str) -> AsyncIterator[bytes]:
        """All bytes, for a host."""
        async for block in self._content.read(image_id):
            yield block
