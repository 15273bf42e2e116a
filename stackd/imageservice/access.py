"""Who may see and change an image: the rules of visibility, asked inside the registry's transactions.

An image that the caller may not see does not exist for them; one they see but do not own is *not allowed*.
"""

from stackd import errors
from stackd.model import ids, kinds
from stackd.model.callers import Caller
from stackd.model.images import Image, Visibility
from stackd.rules import images as rules
from stackd.store import imagemembers, images
from stackd.store.database import Transaction


def may_see(tx: Transaction, caller: Caller, image: Image) -> bool:
    """Whether the caller may know of the image: own, open to all, or shared with their project."""
    return rules.open_to(caller, image) or (
        rules.may_be_member(caller, image) and imagemembers.one(tx, image.id, caller.project_id) is not None)


def visible(tx: Transaction, caller: Caller, image_id: str, lock: bool = False) -> Image:
    """The image; raises ``NotFound`` unless the caller may see it."""
    image = images.by_id(tx, image_id, lock)
    if image is None or not may_see(tx, caller, image):
        raise not_found(image_id)
    return image


def own(tx: Transaction, caller: Caller, image_id: str, action: str, lock: bool = True) -> Image:
    """The image, locked to change it; raises ``NotFound`` or ``NotAllowed`` unless it is the caller's.

    ``action`` in words.
    """
    image = visible(tx, caller, image_id, lock)
    if not caller.is_admin and image.owner != caller.project_id:
        raise errors.NotAllowed(f"You are not permitted to {action} image {ids.dashed(image_id)}.",
                                remedy="Only its owner and administrators may.")
    return image


def demand_publisher(caller: Caller, visibility: Visibility) -> None:
    """Raise ``NotAllowed`` when the caller may not give an image this visibility."""
    if visibility is Visibility.PUBLIC and not caller.is_admin:
        raise errors.NotAllowed("You are not permitted to publicize images.",
                                remedy="Ask an administrator, or choose community or shared.")


def not_found(image_id: str) -> errors.NotFound:
    """The error for an image that is not there for the caller."""
    return errors.NotFound(kinds.IMAGE, ids.dashed(image_id))
