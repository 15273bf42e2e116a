"""The image service as its own API sees it: the catalogue's owner, sharing, and the bytes.

``imageservice/`` provides them, ``api/openstack/image`` calls them; ids are 32 hex digits.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence

from zope.interface import Interface

from stackd.model.callers import Caller
from stackd.model.images import Image, ImageMember, ImageQuery, MemberStatus, NewImage, StoredBytes
from stackd.model.paging import Page


class IRegistry(Interface):
    """What is known about images; each method is one transaction."""

    async def create(caller: Caller, wanted: NewImage) -> Image:
        """A QUEUED image; raises ``NotAllowed``, ``AlreadyExists``, ``PayloadTooLarge``."""

    async def show(caller: Caller, image_id: str) -> Image:
        """One image the caller may see; raises ``NotFound``."""

    async def find(caller: Caller, low: str, high: str) -> Image:
        """The one image the caller may see whose id is within [low, high]; raises ``NotFound``."""

    async def list(caller: Caller, query: ImageQuery) -> Page[Image]:
        """Images the caller may see; raises ``InvalidMarker``."""

    async def update(caller: Caller, image_id: str, change: Callable[[Image], Image]) -> Image:
        """The image as the pure function ``change`` makes it; raises ``NotFound``, ``NotAllowed``, and its errors.

        ``change`` may be asked several times.
        """

    async def delete(caller: Caller, image_id: str) -> None:
        """End it; raises ``NotFound``, ``NotAllowed``."""

    async def deactivate(caller: Caller, image_id: str) -> None:
        """Keep its bytes from users; raises ``WrongState``."""

    async def reactivate(caller: Caller, image_id: str) -> None:
        """Undo ``deactivate``; raises ``WrongState``."""


class IUploads(IRegistry):
    """The registry as the keeper of the bytes sees it: also the steps of an upload, and what may be swept."""

    async def begin_upload(caller: Caller, image_id: str, key: str | None = None) -> tuple[Image, str]:
        """QUEUED to SAVING: the image and the key to keep its bytes under; raises ``WrongState``, ``InvalidImage``.

        It is ``key``, chosen by whoever begins, so that what may have begun unheard can be given up; a second time with
        the same is no error. Without, a new one is made.
        """

    async def still_uploading(image_id: str, key: str) -> bool:
        """Note that the upload lives; False when its image was deleted meanwhile."""

    async def finish_upload(image_id: str, key: str, stored: StoredBytes) -> Image:
        """SAVING to ACTIVE, a second time no error; raises ``NotFound`` when it was deleted or given up meanwhile."""

    async def give_up_upload(image_id: str, key: str) -> bool:
        """SAVING back to QUEUED; False when that upload is not the image's, or has finished."""

    async def give_up_stalled(stall: float) -> None:
        """All uploads without progress for ``stall`` seconds go back to QUEUED."""

    async def located(image_id: str) -> tuple[Image, str] | None:
        """The image and the key of its bytes for a host, also when it was deleted but its bytes are kept."""

    async def removable(grace: float) -> tuple[tuple[str, str], ...]:
        """(id, key) of images deleted ``grace`` seconds ago whose bytes nobody needs; some of them when many."""

    async def forget_bytes(image_id: str) -> None:
        """The bytes of a deleted image were removed."""

    async def keys_in_use(keys: Sequence[str]) -> Collection[str]:
        """Those of the keys that belong to an image."""


class ISharing(Interface):
    """Which projects shared images are shared with."""

    async def members(caller: Caller, image_id: str) -> tuple[ImageMember, ...]:
        """The members the caller may know of."""

    async def show(caller: Caller, image_id: str, member: str) -> ImageMember:
        """One member; raises ``NotFound``."""

    async def add(caller: Caller, image_id: str, member: str) -> ImageMember:
        """Share with one more project; raises ``Conflict``, ``NotAllowed``."""

    async def answer(caller: Caller, image_id: str, member: str, status: MemberStatus) -> ImageMember:
        """The member's own decision; raises ``NotFound``, ``NotAllowed``."""

    async def remove(caller: Caller, image_id: str, member: str) -> None:
        """Share with one project less; raises ``NotFound``."""


class IContent(Interface):
    """The bytes of images, streamed in both directions."""

    async def upload(caller: Caller, image_id: str, blocks: AsyncIterator[bytes], expected: int | None = None) -> Image:
        """The image, ACTIVE with these bytes. ``expected`` is the size the client announced.

        Raises ``NotFound``, ``NotAllowed``, ``WrongState``, ``InvalidImage``, ``PayloadTooLarge`` and what ``blocks``
        raises; then the image is QUEUED again and nothing is kept.
        """

    async def for_download(caller: Caller, image_id: str) -> Image:
        """The image whose bytes the caller may read; ``checksum`` is None when there are none yet.

        Who reads all images gets a deleted one as long as its bytes are kept. Raises ``NotFound``, and ``NotAllowed``
        while it is deactivated.
        """

    def read(image_id: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Blocks of the bytes; raises ``ImageVanished`` at the first when there are none."""
