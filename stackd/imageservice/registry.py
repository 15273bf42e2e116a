"""The registry: owner of what is known about images. It knows nothing of bytes but the key they are kept under.

The image API and the catalogue call it, in the same process or over the bus (``remote.py``). Each method is one
transaction; the steps of an upload are guarded updates, so of two uploads to one image one begins, and an upload that
was given up can never finish.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence

from attrs import evolve
from zope.interface import implementer

from stackd import errors
from stackd.imageservice import access
from stackd.imageservice.keys import new_key
from stackd.interfaces.imageservice import IUploads
from stackd.model import ids, kinds
from stackd.model.callers import IMAGE_READER, MEMBER, Caller
from stackd.model.images import Image, ImageQuery, ImageStatus, NewImage, StoredBytes
from stackd.model.paging import Page
from stackd.rules import images as rules
from stackd.rules import policy
from stackd.store import images
from stackd.store.database import Database, Transaction

Change = Callable[[Image], Image]
Keepers = Callable[[Collection[str]], Awaitable[Collection[str]]]
MAX_PROPERTIES = 128
MAX_TAGS = 128


async def nobody(image_ids: Collection[str]) -> Collection[str]:
    """The keepers of an image service on its own: no instance needs any of them."""
    return ()


@implementer(IUploads)
class Registry:
    """One method per use case; callers are checked here."""

    def __init__(self, database: Database, new_id: Callable[[], str] = ids.new_id, keepers: Keepers = nobody) -> None:
        """``new_id`` makes ids of images and keys of bytes.

        ``keepers(ids)`` gives those of the deleted images whose bytes an unbuilt instance still needs.
        """
        self.database = database
        self._new_id = new_id
        self._keepers = keepers

    async def create(self, caller: Caller, wanted: NewImage) -> Image:
        """A QUEUED image, without bytes yet; raises ``NotAllowed``, ``AlreadyExists``, ``PayloadTooLarge``."""
        policy.demand(caller, MEMBER, "create images")
        access.demand_publisher(caller, wanted.visibility)
        owner = caller.project_id if wanted.owner is None else wanted.owner
        _demand_owner(caller, owner)
        image = Image(
            id=wanted.id or self._new_id(), owner=owner, name=wanted.name, status=ImageStatus.QUEUED,
            visibility=wanted.visibility, disk_format=wanted.disk_format, container_format=wanted.container_format,
            min_disk=wanted.min_disk, min_ram=wanted.min_ram, protected=wanted.protected, hidden=wanted.hidden,
            tags=wanted.tags, properties=wanted.properties)
        _demand_limits(image)
        return await self.database.write(_create, image)

    async def show(self, caller: Caller, image_id: str) -> Image:
        """One image; raises ``NotFound``."""
        policy.demand(caller, IMAGE_READER, "show images")
        return await self.database.read(access.visible, caller, image_id)

    async def find(self, caller: Caller, low: str, high: str) -> Image:
        """The image with an id within [low, high]; raises ``NotFound``."""
        policy.demand(caller, IMAGE_READER, "show images")
        return await self.database.read(_find, caller, low, high)

    async def list(self, caller: Caller, query: ImageQuery) -> Page[Image]:
        """Images the caller may see; raises ``InvalidMarker``."""
        policy.demand(caller, IMAGE_READER, "list images")
        return await self.database.read(images.page, _viewer(caller, query), query)

    async def update(self, caller: Caller, image_id: str, change: Change) -> Image:
        """The image as ``change`` makes it of the present one; ``change`` is pure and runs in the transaction.

        Raises ``NotFound``, ``NotAllowed``, ``PayloadTooLarge`` and whatever ``change`` raises.
        """
        policy.demand(caller, MEMBER, "update images")
        return await self.database.write(_update, caller, image_id, change)

    async def changeable(self, caller: Caller, image_id: str) -> Image:
        """The image, which the caller may change; for whoever makes the change elsewhere."""
        policy.demand(caller, MEMBER, "update images")
        return await self.database.read(access.own, caller, image_id, "modify", False)

    async def replace(self, caller: Caller, before: Image, after: Image) -> Image:
        """The change that was made elsewhere; raises ``ConcurrentUpdate`` when the image is not as it was before."""
        def change(now: Image) -> Image:
            if now != before:
                raise errors.ConcurrentUpdate(f"Image {ids.dashed(now.id)} was changed meanwhile.")
            return after

        return await self.update(caller, before.id, change)

    async def delete(self, caller: Caller, image_id: str) -> None:
        """End it for everybody; its bytes are swept later. Raises ``NotFound``, ``NotAllowed``."""
        policy.demand(caller, MEMBER, "delete images")
        await self.database.write(_delete, caller, image_id)

    async def deactivate(self, caller: Caller, image_id: str) -> None:
        """Let nobody but hosts and administrators read its bytes; a second time is no error."""
        await self.database.write(_switch, caller, image_id, ImageStatus.ACTIVE, ImageStatus.DEACTIVATED, "deactivate")

    async def reactivate(self, caller: Caller, image_id: str) -> None:
        """The way back from :meth:`deactivate`."""
        await self.database.write(_switch, caller, image_id, ImageStatus.DEACTIVATED, ImageStatus.ACTIVE, "reactivate")

    async def begin_upload(self, caller: Caller, image_id: str, key: str | None = None) -> tuple[Image, str]:
        """QUEUED to SAVING: the image and the key to keep its bytes under. Raises ``WrongState``, ``InvalidImage``.

        A second time with the same key is no error. An image service of the release before names no key.
        """
        policy.demand(caller, MEMBER, "upload images")
        return await self.database.write(_begin, caller, image_id, key or new_key(image_id, self._new_id))

    async def still_uploading(self, image_id: str, key: str) -> bool:
        """Note that the upload lives; False when its image was deleted meanwhile."""
        return await self.database.write(images.still_uploading, image_id, key)

    async def finish_upload(self, image_id: str, key: str, stored: StoredBytes) -> Image:
        """SAVING to ACTIVE, a second time no error; raises ``NotFound`` when it was deleted or given up meanwhile."""
        return await self.database.write(_finish, image_id, key, stored)

    async def give_up_upload(self, image_id: str, key: str) -> bool:
        """SAVING back to QUEUED; False when that upload is not the image's, or has finished."""
        return await self.database.write(images.give_up_upload, image_id, key)

    async def give_up_stalled(self, stall: float) -> None:
        """SAVING back to QUEUED for all uploads without progress for ``stall`` seconds."""
        await self.database.write(_put_back, stall)

    async def removable(self, grace: float) -> tuple[tuple[str, str], ...]:
        """Bytes of images deleted ``grace`` seconds ago that no keeper needs."""
        doomed = await self.database.read(_doomed, grace)
        kept = await self._keepers([image_id for image_id, _ in doomed]) if doomed else ()
        return tuple((image_id, key) for image_id, key in doomed if image_id not in kept)

    async def forget_bytes(self, image_id: str) -> None:
        """The bytes of a deleted image were removed."""
        await self.database.write(images.forget_bytes, image_id)

    async def keys_in_use(self, keys: Sequence[str]) -> Collection[str]:
        """Those of the keys that belong to an image."""
        return await self.database.read(images.keys_in_use, keys)

    async def located(self, image_id: str) -> tuple[Image, str] | None:
        """The image and the key of its bytes for a host, also when it was deleted but its bytes are kept."""
        return await self.database.read(images.located, image_id)


def _viewer(caller: Caller, query: ImageQuery) -> str | None:
    if caller.reads_all_images:
        return query.viewer
    if query.viewer not in (None, caller.project_id):
        raise errors.NotAllowed("You are not permitted to list images as another project sees them.",
                                remedy="Leave the viewer out.")
    return caller.project_id


def _create(tx: Transaction, image: Image) -> Image:
    image = evolve(image, created_at=tx.now, updated_at=tx.now)
    images.add(tx, image)
    return image


def _find(tx: Transaction, caller: Caller, low: str, high: str) -> Image:
    image = images.in_range(tx, low, high)
    if image is None or not access.may_see(tx, caller, image):
        raise errors.NotFound(kinds.IMAGE, ids.ec2_id(kinds.IMAGE, low))
    return image


def _update(tx: Transaction, caller: Caller, image_id: str, change: Change) -> Image:
    before = access.own(tx, caller, image_id, "modify")
    after = change(before)
    if after.visibility is not before.visibility:
        access.demand_publisher(caller, after.visibility)
    if after.owner != before.owner:
        _demand_owner(caller, after.owner)
    # An image that was made before a limit can still be shared, renamed and deleted.
    if (after.properties, after.tags) != (before.properties, before.tags):
        _demand_limits(after)
    images.save(tx, after)
    return evolve(after, updated_at=tx.now)


def _delete(tx: Transaction, caller: Caller, image_id: str) -> None:
    image = access.own(tx, caller, image_id, "delete")
    if image.protected:
        raise errors.NotAllowed(f"Image {ids.dashed(image_id)} is protected and cannot be deleted.",
                                remedy="Set protected to false first.")
    images.mark_deleted(tx, image_id)


def _switch(tx: Transaction, caller: Caller, image_id: str, before: ImageStatus, after: ImageStatus,
            action: str) -> None:
    policy.demand(caller, MEMBER, f"{action} images")
    image = access.own(tx, caller, image_id, action)
    if image.status is not after and not images.move(tx, image_id, before, after):
        raise errors.WrongState(kinds.IMAGE, ids.dashed(image_id), image.status.value, action)


def _begin(tx: Transaction, caller: Caller, image_id: str, key: str) -> tuple[Image, str]:
    image = access.own(tx, caller, image_id, "upload bytes to")
    if not image.disk_format or not image.container_format:
        raise errors.InvalidImage(f"Image {ids.dashed(image_id)} has no disk_format or no container_format.",
                                  remedy="Set both before you upload.")
    # A commit whose answer was lost is tried again: then the upload goes on already.
    if not images.begin_upload(tx, image_id, key) and not images.still_uploading(tx, image_id, key):
        raise errors.WrongState(kinds.IMAGE, ids.dashed(image_id), image.status.value, "upload bytes to",
                                remedy="Create a new image for other bytes.")
    return image, key


def _finish(tx: Transaction, image_id: str, key: str, stored: StoredBytes) -> Image:
    images.finish_upload(tx, image_id, key, stored)
    found = images.located(tx, image_id)
    # A commit whose answer was lost is tried again: then the key is the image's already.
    if found is None or found[1] != key or found[0].status is ImageStatus.DELETED:
        raise access.not_found(image_id)
    return found[0]


def _put_back(tx: Transaction, stall: float) -> None:
    for image_id, key in images.stalled_uploads(tx, tx.now - stall):
        images.give_up_upload(tx, image_id, key)


def _doomed(tx: Transaction, grace: float) -> tuple[tuple[str, str], ...]:
    return images.doomed(tx, tx.now - grace)


def _demand_owner(caller: Caller, owner: str) -> None:
    if owner != caller.project_id and not caller.is_admin:
        raise errors.NotAllowed("You are not permitted to name another owner of an image.",
                                remedy="Leave the owner out, or share the image.")


def _demand_limits(image: Image) -> None:
    for what, count, limit in (("properties", len(image.properties), MAX_PROPERTIES),
                               ("bytes of properties", rules.weight(image.properties), rules.MOST_OF_PROPERTIES),
                               ("tags", len(image.tags), MAX_TAGS)):
        if count > limit:
            raise errors.PayloadTooLarge(f"An image may have {limit} {what}, not {count}.", remedy="Send fewer.")
