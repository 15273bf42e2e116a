"""Sharing images with other projects: the owner adds members, each member accepts or rejects for its own lists.

The image API calls it. Members of an image see it from the moment they are added; accepting only lists it.
"""

from attrs import evolve
from zope.interface import implementer

from stackd import errors
from stackd.imageservice import access
from stackd.interfaces.imageservice import ISharing
from stackd.model import ids
from stackd.model.callers import IMAGE_READER, MEMBER, Caller
from stackd.model.images import Image, ImageMember, MemberStatus, Visibility
from stackd.rules import policy
from stackd.store import imagemembers
from stackd.store.database import Database, Transaction

MAX_MEMBERS = 128


@implementer(ISharing)
class Sharing:
    """One method per use case."""

    def __init__(self, database: Database) -> None:
        """The registry's database."""
        self._database = database

    async def members(self, caller: Caller, image_id: str) -> tuple[ImageMember, ...]:
        """All members for the owner, only itself for a member."""
        policy.demand(caller, IMAGE_READER, "list members of images")
        return await self._database.read(_members, caller, image_id)

    async def show(self, caller: Caller, image_id: str, member: str) -> ImageMember:
        """One member; raises ``NotFound``."""
        policy.demand(caller, IMAGE_READER, "show members of images")
        return await self._database.read(_one, caller, image_id, member)

    async def add(self, caller: Caller, image_id: str, member: str) -> ImageMember:
        """Share with a project; raises ``Conflict`` when it is shared with it already, ``PayloadTooLarge``."""
        policy.demand(caller, MEMBER, "share images")
        return await self._database.write(_add, caller, image_id, member)

    async def answer(self, caller: Caller, image_id: str, member: str, status: MemberStatus) -> ImageMember:
        """The member's own decision; not even the owner takes it for them."""
        policy.demand(caller, MEMBER, "answer for members of images")
        return await self._database.write(_answer, caller, image_id, member, status)

    async def remove(self, caller: Caller, image_id: str, member: str) -> None:
        """Share no longer with a project; raises ``NotFound``."""
        policy.demand(caller, MEMBER, "share images")
        await self._database.write(_remove, caller, image_id, member)


def _members(tx: Transaction, caller: Caller, image_id: str) -> tuple[ImageMember, ...]:
    image = _shared(access.visible(tx, caller, image_id))
    found = imagemembers.of_image(tx, image_id)
    return tuple(member for member in found if _knows(caller, image, member.member))


def _one(tx: Transaction, caller: Caller, image_id: str, member: str) -> ImageMember:
    image = access.visible(tx, caller, image_id)
    found = imagemembers.one(tx, image_id, member) if _knows(caller, image, member) else None
    if found is None:
        raise _no_member(image_id, member)
    return found


def _add(tx: Transaction, caller: Caller, image_id: str, member: str) -> ImageMember:
    _shared(access.own(tx, caller, image_id, "share"))
    if imagemembers.one(tx, image_id, member) is not None:
        raise errors.Conflict(f"Image {ids.dashed(image_id)} is shared with {member} already.",
                              remedy="Nothing needs to be done.")
    if len(imagemembers.of_image(tx, image_id)) >= MAX_MEMBERS:
        raise errors.PayloadTooLarge(f"An image may have {MAX_MEMBERS} members.", remedy="Make it a community image.")
    return imagemembers.add(tx, image_id, member)


def _answer(tx: Transaction, caller: Caller, image_id: str, member: str, status: MemberStatus) -> ImageMember:
    found = _one(tx, caller, image_id, member)
    if caller.project_id != member and not caller.is_admin:
        raise errors.NotAllowed("Only the member itself may accept or reject an image.",
                                remedy="Ask a user of that project.")
    imagemembers.answer(tx, image_id, member, status)
    return evolve(found, status=status, updated_at=tx.now)


def _remove(tx: Transaction, caller: Caller, image_id: str, member: str) -> None:
    _shared(access.own(tx, caller, image_id, "share"))
    if not imagemembers.remove(tx, image_id, member):
        raise _no_member(image_id, member)


def _shared(image: Image) -> Image:
    if image.visibility is not Visibility.SHARED:
        raise errors.NotAllowed("Only shared images have members.",
                                remedy="Set the image's visibility to shared first.")
    return image


def _knows(caller: Caller, image: Image, member: str) -> bool:
    return caller.reads_all_images or caller.project_id in (image.owner, member)


def _no_member(image_id: str, member: str) -> errors.NotFound:
    return errors.NotFound("member", f"{member} of image {ids.dashed(image_id)}")
