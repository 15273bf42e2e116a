"""The bytes of images: streamed into the store while they are inspected, streamed out in ranges.

The image API calls it. An upload either makes the image ACTIVE with exactly these bytes, or leaves it QUEUED and
nothing in the store. A process that dies in an upload leaves a row that the sweep puts back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from stackd import errors
from stackd.imageservice import access
from stackd.imageservice.inspection import Inspection
from stackd.imageservice.keys import new_key
from stackd.interfaces.clock import Clock
from stackd.interfaces.imageservice import IContent, IUploads
from stackd.interfaces.imagestore import IImageStore
from stackd.model import ids
from stackd.model.callers import IMAGE_READER, Caller
from stackd.model.images import Image, ImageStatus, StoredBytes
from stackd.rules import policy

log = Logger()
MAX_SIZE = 1 << 40
PROGRESS_SECONDS = 30.0
PAUSES = 1.0, 2.0, 4.0, 8.0
"""Between the tries to end an upload while the registry is away: it may be restarting."""


@implementer(IContent)
class Content:
    """Registry and store, joined."""

    def __init__(self, registry: IUploads, store: IImageStore, clock: Clock,
                 in_thread: Callable[..., Awaitable[Any]], max_size: int = MAX_SIZE,
                 new_id: Callable[[], str] = ids.new_id) -> None:
        """``registry`` may be elsewhere; ``max_size`` of one image in bytes.

        ``in_thread(fn, *args)`` runs hashing off the reactor's thread; ``new_id`` makes keys of bytes.
        """
        self._registry = registry
        self._store = store
        self._clock = clock
        self._in_thread = in_thread
        self._max_size = max_size
        self._new_id = new_id

    async def upload(self, caller: Caller, image_id: str, blocks: AsyncIterator[bytes],
                     expected: int | None = None) -> Image:
        """Keep the bytes and make the image ACTIVE, or leave no trace."""
        image, key = await self._begun(caller, image_id)
        found: list[StoredBytes] = []
        try:
            if expected is not None and expected > self._max_size:
                raise errors.PayloadTooLarge(f"The image is larger than the limit of {self._max_size} bytes.",
                                             remedy="Shrink it, for example to a compressed qcow2.")
            inspection = Inspection(image.disk_format or "", self._max_size, expected)
            await self._store.write(key, self._inspected(image_id, key, blocks, inspection, found))
            done: Image = await self._insisting(self._registry.finish_upload, image_id, key, found[0])
            return done
        except BaseException:
            # Only bytes whose row let go of them: a commit whose answer was lost made them the image's. The sweep
            # removes what belongs to nobody.
            if await self._insisting(self._registry.give_up_upload, image_id, key):
                await self._store.delete(key)
            raise

    async def for_download(self, caller: Caller, image_id: str) -> Image:
        """The image, when the caller may read its bytes."""
        policy.demand(caller, IMAGE_READER, "download images")
        image = await self._shown(caller, image_id)
        if image.status is ImageStatus.DEACTIVATED and not caller.reads_all_images:
            raise errors.NotAllowed(f"Image {ids.dashed(image_id)} is deactivated; its bytes cannot be read.",
                                    remedy="Ask its owner to reactivate it.")
        return image

    async def read(self, image_id: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Blocks of bytes from the store."""
        found = await self._registry.located(image_id)
        if found is None:
            raise errors.ImageVanished(f"Image {ids.dashed(image_id)} has no bytes.")
        async for block in self._store.read(found[1], offset, length):
            yield block

    async def _begun(self, caller: Caller, image_id: str) -> tuple[Image, str]:
        key = new_key(image_id, self._new_id)
        try:
            return await self._registry.begin_upload(caller, image_id, key)
        except errors.Unavailable:
            # It may have begun, with the answer lost: nobody else would give it up before it counts as stalled.
            await self._insisting(self._registry.give_up_upload, image_id, key)
            raise

    async def _shown(self, caller: Caller, image_id: str) -> Image:
        try:
            return await self._registry.show(caller, image_id)
        except errors.NotFound:
            # Hosts build what was launched before the image was deleted: for them its bytes are kept.
            found = await self._registry.located(image_id) if caller.reads_all_images else None
            if found is None:
                raise
            return found[0]

    async def _inspected(self, image_id: str, key: str, blocks: AsyncIterator[bytes], inspection: Inspection,
                         found: list[StoredBytes]) -> AsyncIterator[bytes]:
        told = self._clock.seconds()
        async for block in blocks:
            await self._in_thread(inspection.feed, block)
            if self._clock.seconds() - told > PROGRESS_SECONDS:
                told = self._clock.seconds()
                if not await self._wanted(image_id, key):
                    raise access.not_found(image_id)
            yield block
        # Raising here, before the store sees the end, keeps refused bytes from ever being complete.
        found.append(await self._in_thread(inspection.verdict))

    async def _wanted(self, image_id: str, key: str) -> bool:
        """Tell the registry that the upload lives; False when it says that nobody wants it any more."""
        try:
            wanted: bool = await self._registry.still_uploading(image_id, key)
        except errors.Unavailable as error:
            # The sweep is patient for many times as long: it is told the next time.
            log.warn("the upload of image {id} goes on untold: {error}", id=ids.dashed(image_id), error=str(error))
            return True
        return wanted

    async def _insisting(self, step: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Take a step that may be taken twice; a registry that is away is asked again."""
        for pause in PAUSES:
            try:
                return await step(*arguments)
            except errors.Unavailable:
                await deferLater(self._clock, pause)  # type: ignore[arg-type]
        return await step(*arguments)
