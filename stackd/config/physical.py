"""Physical networks as the configuration names them; ``keys`` checks with these, daemons read with them."""

import re
from collections.abc import Iterable, Mapping

from stackd.model.networks import VLAN_IDS

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINK = re.compile(r"[A-Za-z0-9_.-]{1,15}")


def vlan_ranges(words: Iterable[str]) -> Mapping[str, tuple[int, int]]:
    """``NAME:FIRST:LAST`` or ``NAME`` alone, as configured; raises ``ValueError`` in words."""
    found: dict[str, tuple[int, int]] = {}
    for word in words:
        name, *ends = word.split(":")
        if not _NAME.fullmatch(name) or name in found or len(ends) not in (0, 2) or not all(map(str.isdecimal, ends)):
            raise ValueError(f"{word!r} is none")
        first, last = (int(ends[0]), int(ends[1])) if ends else (0, 0)
        if ends and not (first in VLAN_IDS and last in VLAN_IDS and first <= last):
            raise ValueError(f"{word!r} is no range within {VLAN_IDS[0]} to {VLAN_IDS[-1]}")
        found[name] = first, last
    return found


def physical_links(words: Iterable[str]) -> Mapping[str, str]:
    """``NAME:INTERFACE`` as configured; raises ``ValueError`` in words."""
    found: dict[str, str] = {}
    for word in words:
        name, _, link = word.partition(":")
        if not _NAME.fullmatch(name) or not _LINK.fullmatch(link) or name in found \
                or link in found.values():
            raise ValueError(f"{word!r} is none, or says again what another one says")
        found[name] = link
    return found
