"""Who sees an image, as far as the image itself tells; one rule for our registry and for foreign image services.

What it leaves open is whether a shared image was shared with the caller's project: the registry asks its database, the
driver ``http`` the other service.
"""

from stackd.model.callers import Caller
from stackd.model.images import Image, Visibility

_OPEN = (Visibility.PUBLIC, Visibility.COMMUNITY)


def open_to(caller: Caller, image: Image) -> bool:
    """Whether the caller sees the image without being a member: an administrator or service, the owner, or anybody."""
    own = bool(caller.project_id) and image.owner == caller.project_id
    return caller.reads_all_images or image.visibility in _OPEN or own


def may_be_member(caller: Caller, image: Image) -> bool:
    """Whether it is worth asking if the image was shared with the caller's project."""
    return image.visibility is Visibility.SHARED and bool(caller.project_id)
