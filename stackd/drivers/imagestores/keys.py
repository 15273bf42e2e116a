"""The rule for keys of image stores, in one place for all drivers of this folder."""

import re

from stackd import errors

_KEY = re.compile(r"[0-9a-z][0-9a-z.-]{0,63}")


def check(key: str) -> str:
    """The key itself; raises ``PermanentFailure`` unless ``IImageStore`` allows it."""
    if not _KEY.fullmatch(key):
        raise errors.PermanentFailure(f"{key!r} is no key of an image store.")
    return key


def vanished(key: str) -> errors.ImageVanished:
    """The error for a key that has no bytes."""
    return errors.ImageVanished(f"The image store has no bytes under {key}.")
