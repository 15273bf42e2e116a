"""The rule for keys of image stores, in one place for all drivers of this folder."""

import re

from stackd import errors

_KEY = re.compile(r"[0-9a-z][0-9a-z.-]{0,63}")


def allowed(key: str) -> bool:
    """Whether ``IImageStore`` allows it."""
    return _KEY.fullmatch(key) is not None


def check(key: str) -> str:
    """The key itself; raises ``PermanentFailure`` unless ``IImageStore`` allows it."""
    if not allowed(key):
        raise errors.PermanentFailure(f"{key!r} is no key of an image store.")
    return key


def vanished(key: str) -> errors.ImageVanished:
    """The error for a key that has no bytes."""
    return errors.ImageVanished(f"The image store has no bytes under {key}.")
