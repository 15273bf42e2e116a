"""The registry over the bus: how ``stack-image``, which has no database, asks ``stack-registry``.

Each method is one call that ``endpoint.py`` answers. Identity goes the same way: who keeps the bytes must know the
caller, and only the registry has the database where tokens are looked up.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from zope.interface import implementer

from stackd import errors
from stackd.interfaces.bus import IMessageBus
from stackd.interfaces.identity import IIdentity
from stackd.interfaces.imageservice import ISharing, IUploads
from stackd.model import wire
from stackd.model.callers import Caller
from stackd.model.identities import AccessKey
from stackd.model.images import Image, ImageMember, ImageQuery, MemberStatus, NewImage, StoredBytes
from stackd.model.paging import Page

REGISTRY = "registry"
PATIENCE = 20.0
TRIES = 8
"""How often a change is made anew when others change the image at the same time."""
IMAGES, MEMBERS, CALLERS = "image", "member", "caller"


class _Asking:
    """What the remote sides have in common."""

    def __init__(self, bus: IMessageBus, patience: float = PATIENCE) -> None:
        """A question not answered within ``patience`` seconds fails."""
        self._bus = bus
        self._patience = patience

    async def _ask(self, method: str, result: Any, **arguments: Any) -> Any:
        body: Mapping[str, Any] = {name: wire.dump(value) for name, value in arguments.items()}
        try:
            answer = await self._bus.call(REGISTRY, method, dict(body), self._patience)
        except (errors.NoSuchTarget, errors.CallTimedOut) as error:
            raise errors.Unavailable("The registry of the image service does not answer.") from error
        return wire.load(result, answer) if result is not None else None


@implementer(IUploads)
class RemoteRegistry(_Asking):
    """``IRegistry``, and what the keeper of the bytes asks beside, over the bus."""

    async def create(self, caller: Caller, wanted: NewImage) -> Image:
        """A QUEUED image."""
        return await self._image("create", caller=caller, wanted=wanted)

    async def show(self, caller: Caller, image_id: str) -> Image:
        """One image."""
        return await self._image("show", caller=caller, image_id=image_id)

    async def find(self, caller: Caller, low: str, high: str) -> Image:
        """The one image in the range."""
        return await self._image("find", caller=caller, low=low, high=high)

    async def list(self, caller: Caller, query: ImageQuery) -> Page[Image]:
        """A page of images."""
        page: Page[Image] = await self._ask(f"{IMAGES}.list", Page[Image], caller=caller, query=query)
        return page

    async def update(self, caller: Caller, image_id: str, change: Callable[[Image], Image]) -> Image:
        """The image as ``change`` makes it here; made anew when somebody else was faster."""
        for _ in range(TRIES):
            before = await self._image("changeable", caller=caller, image_id=image_id)
            try:
                return await self._image("replace", caller=caller, before=before, after=change(before))
            except errors.ConcurrentUpdate:
                continue
        raise errors.ConcurrentUpdate("The image was changed by others again and again.")

    async def delete(self, caller: Caller, image_id: str) -> None:
        """End it."""
        await self._ask(f"{IMAGES}.delete", None, caller=caller, image_id=image_id)

    async def deactivate(self, caller: Caller, image_id: str) -> None:
        """Keep its bytes from users."""
        await self._ask(f"{IMAGES}.deactivate", None, caller=caller, image_id=image_id)

    async def reactivate(self, caller: Caller, image_id: str) -> None:
        """Undo ``deactivate``."""
        await self._ask(f"{IMAGES}.reactivate", None, caller=caller, image_id=image_id)

    async def begin_upload(self, caller: Caller, image_id: str, key: str | None = None) -> tuple[Image, str]:
        """The image and the key for its bytes; a registry of the release before chooses another than ``key``."""
        begun: tuple[Image, str] = await self._ask(f"{IMAGES}.begin_upload", tuple[Image, str], caller=caller,
                                                   image_id=image_id, key=key)
        return begun

    async def still_uploading(self, image_id: str, key: str) -> bool:
        """Whether the upload is still wanted."""
        return bool(await self._ask(f"{IMAGES}.still_uploading", bool, image_id=image_id, key=key))

    async def finish_upload(self, image_id: str, key: str, stored: StoredBytes) -> Image:
        """The image, ACTIVE; a question whose answer was lost may be asked again."""
        return await self._image("finish_upload", image_id=image_id, key=key, stored=stored)

    async def give_up_upload(self, image_id: str, key: str) -> bool:
        """Whether the image let go of these bytes."""
        return bool(await self._ask(f"{IMAGES}.give_up_upload", bool, image_id=image_id, key=key))

    async def give_up_stalled(self, stall: float) -> None:
        """Uploads whose process died."""
        await self._ask(f"{IMAGES}.give_up_stalled", None, stall=stall)

    async def located(self, image_id: str) -> tuple[Image, str] | None:
        """The image and the key of its bytes."""
        found: tuple[Image, str] | None = await self._ask(f"{IMAGES}.located", tuple[Image, str] | None,
                                                          image_id=image_id)
        return found

    async def removable(self, grace: float) -> tuple[tuple[str, str], ...]:
        """Bytes nobody needs."""
        found: tuple[tuple[str, str], ...] = await self._ask(f"{IMAGES}.removable", tuple[tuple[str, str], ...],
                                                             grace=grace)
        return found

    async def forget_bytes(self, image_id: str) -> None:
        """They were removed."""
        await self._ask(f"{IMAGES}.forget_bytes", None, image_id=image_id)

    async def keys_in_use(self, keys: Sequence[str]) -> Collection[str]:
        """Those that belong to an image."""
        found: tuple[str, ...] = await self._ask(f"{IMAGES}.keys_in_use", tuple[str, ...], keys=tuple(keys))
        return frozenset(found)

    async def _image(self, name: str, **arguments: Any) -> Image:
        image: Image = await self._ask(f"{IMAGES}.{name}", Image, **arguments)
        return image


@implementer(ISharing)
class RemoteSharing(_Asking):
    """``ISharing`` over the bus."""

    async def members(self, caller: Caller, image_id: str) -> tuple[ImageMember, ...]:
        """The members the caller may know of."""
        found: tuple[ImageMember, ...] = await self._ask(f"{MEMBERS}.members", tuple[ImageMember, ...], caller=caller,
                                                         image_id=image_id)
        return found

    async def show(self, caller: Caller, image_id: str, member: str) -> ImageMember:
        """One member."""
        return await self._member("show", caller=caller, image_id=image_id, member=member)

    async def add(self, caller: Caller, image_id: str, member: str) -> ImageMember:
        """Share with one more project."""
        return await self._member("add", caller=caller, image_id=image_id, member=member)

    async def answer(self, caller: Caller, image_id: str, member: str, status: MemberStatus) -> ImageMember:
        """The member's own decision."""
        return await self._member("answer", caller=caller, image_id=image_id, member=member, status=status)

    async def remove(self, caller: Caller, image_id: str, member: str) -> None:
        """Share with one project less."""
        await self._ask(f"{MEMBERS}.remove", None, caller=caller, image_id=image_id, member=member)

    async def _member(self, name: str, **arguments: Any) -> ImageMember:
        member: ImageMember = await self._ask(f"{MEMBERS}.{name}", ImageMember, **arguments)
        return member


@implementer(IIdentity)
class RemoteIdentity(_Asking):
    """Who is it, asked over the bus; only tokens, as the image API takes nothing else."""

    async def caller_of_token(self, token: str, request_id: str) -> Caller:
        """The caller behind a token."""
        caller: Caller = await self._ask(f"{CALLERS}.of_token", Caller, token=token, request_id=request_id)
        return caller

    async def access_key(self, access: str) -> AccessKey:
        """None is ever known here."""
        raise errors.UnknownAccessKey("The image service takes tokens only.")

    async def caller_of_key(self, key: AccessKey, request_id: str) -> Caller:
        """None is ever known here."""
        raise errors.NotAuthenticated("The image service takes tokens only.")
