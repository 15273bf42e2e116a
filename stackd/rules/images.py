"""Who sees an image, as far as the image itself tells, and how much it may say; for our registry and foreign services.

What the first leaves open is whether a shared image was shared with the caller's project: the registry asks its
database, the driver ``http`` the other service.
"""

from collections.abc import Mapping

from stackd.model.callers import Caller
from stackd.model.images import Image, Visibility

MOST_OF_PROPERTIES = 64 * 1024
"""Bytes of all properties of an image: every instance keeps them, and every list of images shows them."""
_OPEN = (Visibility.PUBLIC, Visibility.COMMUNITY)


def open_to(caller: Caller, image: Image) -> bool:
    """Whether the caller sees the image without being a member: an administrator or service, the owner, or anybody."""
    own = bool(caller.project_id) and image.owner == caller.project_id
    return caller.reads_all_images or image.visibility in _OPEN or own


def may_be_member(caller: Caller, image: Image) -> bool:
    """Whether it is worth asking if the image was shared with the caller's project."""
    return image.visibility is Visibility.SHARED and bool(caller.project_id)


def weight(properties: Mapping[str, str]) -> int:
    """The bytes of the properties' names and values."""
    return sum(len(text.encode()) for item in properties.items() for text in item)
