"""Who sees an image, as far as the image itself tells, and how much it may say; for our registry and foreign services.

What the first leaves open is whether a shared image was shared with the caller's project: the registry asks its
database, the driver ``http`` the other service.
"""

from collections.abc import Mapping

import orjson

from stackd.model.callers import Caller
from stackd.model.images import Image, Visibility

MOST_OF_PROPERTIES = 60 * 1024
"""Bytes of all properties of an image as JSON: every instance keeps them, in a column that MariaDB ends at 64 KiB."""
_OPEN = (Visibility.PUBLIC, Visibility.COMMUNITY)


def open_to(caller: Caller, image: Image) -> bool:
    """Whether the caller sees the image without being a member: an administrator or service, the owner, or anybody."""
    own = bool(caller.project_id) and image.owner == caller.project_id
    return caller.reads_all_images or image.visibility in _OPEN or own


def may_be_member(caller: Caller, image: Image) -> bool:
    """Whether it is worth asking if the image was shared with the caller's project."""
    return image.visibility is Visibility.SHARED and bool(caller.project_id)


def weight(properties: Mapping[str, str]) -> int:
    """The bytes of the properties as JSON."""
    return len(orjson.dumps(dict(properties)))
