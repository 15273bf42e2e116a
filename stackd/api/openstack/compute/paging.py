"""Pages as Nova cuts them: ``limit``, ``marker``, and a link to the next page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from stackd import errors
from stackd.api.openstack.http import Call
from stackd.model.paging import MAX_LIMIT

T = TypeVar("T")
ABSENT = "None"
"""What clients write for a filter they do not have."""


def limit_of(call: Call) -> int:
    """How many the request wants at most; raises ``InvalidValue``."""
    return min(call.number("limit", MAX_LIMIT), MAX_LIMIT)


def page(call: Call, items: Sequence[T], id_of: Callable[[T], str]) -> tuple[Sequence[T], bool]:
    """The part of a short list that the request asks for, and whether more follow."""
    marker, start = call.arg("marker"), 0
    if marker:
        places = [place for place, item in enumerate(items) if id_of(item) == marker]
        if not places:
            raise errors.InvalidMarker(f"Marker {marker} could not be found.")
        start = places[0] + 1
    end = start + limit_of(call)
    return items[start:end], end < len(items)


def following(call: Call, collection: str, shown: Sequence[Any], more: bool, marker: str) -> dict[str, Any]:
    """The link to the page after ``marker``, where there is one; else nothing."""
    if not more or not shown:
        return {}
    query = [(name, value) for name, value in call.query if name != "marker"] + [("marker", marker)]
    return {f"{collection}_links": [{"rel": "next", "href": f"{call.base}{call.path}?{urlencode(query)}"}]}
