"""The keys under which the image service keeps bytes: the image's id, and what makes each upload's another.

Whoever begins an upload chooses its key; the sweep touches nothing else in the store, whose place may have files of
others.
"""

import re
from collections.abc import Callable

_OURS = re.compile(r"[0-9a-f]{32}\.[0-9a-f]{8}")


def new_key(image_id: str, new_id: Callable[[], str]) -> str:
    """For one upload to the image; ``new_id`` is different each time."""
    return f"{image_id}.{new_id()[:8]}"


def is_key(name: str) -> bool:
    """Whether it is one of those."""
    return _OURS.fullmatch(name) is not None
