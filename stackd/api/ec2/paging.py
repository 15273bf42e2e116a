"""MaxResults and NextToken: pages of lists, and tokens that are opaque, checked and bound to action and project."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from stackd import errors
from stackd.api.ec2.calls import Call

T = TypeVar("T")
LOWEST, HIGHEST = 5, 1000
_CHECK = 9


def limit(call: Call, *named: str) -> int:
    """How many results a page holds; together with any of the parameters ``named`` MaxResults is refused."""
    wanted = call.get("MaxResults")
    if wanted is None:
        return HIGHEST
    for name in named:
        if call.get(name):
            raise errors.ConflictingValues(f"The parameter MaxResults cannot be used with the parameter {name}.",
                                           remedy="Leave one of them out.")
    if not LOWEST <= wanted <= HIGHEST:
        raise errors.InvalidValue("MaxResults", f"{wanted} is not between {LOWEST} and {HIGHEST}.")
    return int(wanted)


def marker(call: Call) -> str | None:
    """What NextToken stands for; None without one; raises ``InvalidMarker`` for one that is not of this list."""
    given = call.get("NextToken")
    if not given:
        return None
    try:
        text = urlsafe_b64decode(given.encode("ascii") + b"=" * (-len(given) % 4))[_CHECK:].decode()
    except ValueError:
        text = ""
    # Compared as it is written: several last letters decode to the same bytes.
    if not text or given != token(call, text):
        raise errors.InvalidMarker("The NextToken is not valid for this request.")
    return text


def token(call: Call, text: str) -> str:
    """The NextToken that stands for ``text``."""
    return urlsafe_b64encode(_check(call, text) + text.encode()).decode().rstrip("=")


def page(call: Call, items: Sequence[T], key: Callable[[T], str], *named: str) -> tuple[list[T], str | None]:
    """One page of a whole list in the order of ``key``, which is different for each item, and the next token."""
    size, after = limit(call, *named), marker(call)
    rest = sorted((item for item in items if after is None or key(item) > after), key=key)
    return rest[:size], token(call, key(rest[size - 1])) if len(rest) > size else None


def _check(call: Call, text: str) -> bytes:
    return hashlib.blake2b(f"{call.action} {call.caller.project_id} {text}".encode(), digest_size=_CHECK).digest()
