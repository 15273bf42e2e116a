"""Images as the other use cases see them: policy, then whichever image service the cloud has."""

from stackd.interfaces.images import IImages
from stackd.model.callers import READER, Caller
from stackd.model.images import Image
from stackd.model.paging import Page, PageRequest
from stackd.rules import policy


class Images:
    """The catalogue; EC2's image actions call it, OpenStack clients speak to the image service itself."""

    def __init__(self, images: IImages) -> None:
        """``images`` is our own image service or a foreign Glance."""
        self._images = images

    async def list(self, caller: Caller, page: PageRequest) -> Page[Image]:
        """One page of the images the caller may see, newest first."""
        policy.demand(caller, READER, "list images")
        return await self._images.list(caller, page)

    async def show(self, caller: Caller, id: str) -> Image:
        """One image; raises ``NotFound``."""
        policy.demand(caller, READER, "show images")
        return await self._images.show(caller, id)

    async def find(self, caller: Caller, low: str, high: str) -> Image:
        """The one image whose id is within [low, high]; raises ``NotFound``."""
        policy.demand(caller, READER, "show images")
        return await self._images.find(caller, low, high)
