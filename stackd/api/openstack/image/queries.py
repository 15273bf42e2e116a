"""From the arguments of a list to an ``ImageQuery``; what is no known argument filters by the user's own property."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from stackd import errors
from stackd.model import ids
from stackd.model.images import IMAGE_SORT_KEYS, ImageQuery, MemberStatus, Visibility
from stackd.model.paging import MAX_LIMIT

DEFAULT_LIMIT = 25
OWN_FILTERS = ("id_from", "id_to", "viewer")
"""Those that Glance does not have; a list that understood some names them in the header ``OWN_HEADER``."""
OWN_HEADER = "X-Image-Filters"
_OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_LISTS = {"name": "names", "status": "statuses", "disk_format": "disk_formats",
          "container_format": "container_formats"}
Arguments = Sequence[tuple[str, str]]


def image_query(arguments: Arguments) -> ImageQuery:
    """The query; raises ``InvalidValue`` and ``InvalidMarker``."""
    query = ImageQuery(limit=DEFAULT_LIMIT, sort=_sort(arguments))
    for name, value in arguments:
        if name in _READERS:
            query = _READERS[name](query, value)
        elif name in _LISTS:
            query = _with(query, _LISTS[name], _several(value))
        elif name not in ("sort", "sort_key", "sort_dir"):
            query = evolve(query, properties={**query.properties, name: value})
    return query


def own_filters(arguments: Arguments) -> dict[str, str]:
    """The header that names the filters of ours among the arguments; nothing when there are none."""
    used = sorted({name for name, _ in arguments if name in OWN_FILTERS})
    return {OWN_HEADER: ", ".join(used)} if used else {}


def _with(query: ImageQuery, attribute: str, value: Any) -> ImageQuery:
    changed: dict[str, Any] = {attribute: value}
    return evolve(query, **changed)


def _several(value: str) -> tuple[str, ...]:
    if not value.startswith("in:"):
        return (value,)
    return tuple(part.strip().strip('"') for part in value[3:].split(","))


def _sort(arguments: Arguments) -> tuple[tuple[str, bool], ...]:
    plain = [value for name, value in arguments if name == "sort"]
    keys = [value for name, value in arguments if name == "sort_key"]
    directions = [value for name, value in arguments if name == "sort_dir"]
    if plain and (keys or directions):
        raise errors.InvalidValue("sort", "it cannot stand beside sort_key or sort_dir")
    if plain:
        pairs = [(key.strip(), direction.strip() or "desc")
                 for key, _, direction in (part.partition(":") for part in plain[-1].split(","))]
    else:
        # One direction stands for all keys.
        directions = directions * len(keys or ["created_at"]) if len(directions) == 1 else directions
        keys = keys or ["created_at"]
        if directions and len(directions) != len(keys):
            raise errors.InvalidValue("sort_dir", "give one, or one for each sort_key")
        pairs = list(zip(keys, directions or ["desc"] * len(keys), strict=True))
    return tuple(_sort_term(key, direction) for key, direction in pairs)


def _sort_term(key: str, direction: str) -> tuple[str, bool]:
    if key not in IMAGE_SORT_KEYS:
        raise errors.InvalidValue("sort_key", f"{key!r} is not one of {', '.join(IMAGE_SORT_KEYS)}")
    if direction not in ("asc", "desc"):
        raise errors.InvalidValue("sort_dir", f"{direction!r} is not one of asc, desc")
    return key, direction == "desc"


def _visibility(query: ImageQuery, value: str) -> ImageQuery:
    if value == "all":
        return evolve(query, community=True)
    return evolve(query, visibility=Visibility(_one_of("visibility", value, (each.value for each in Visibility))))


def _member_status(query: ImageQuery, value: str) -> ImageQuery:
    if value == "all":
        return evolve(query, member_status=None)
    return evolve(query, member_status=MemberStatus(
        _one_of("member_status", value, (each.value for each in MemberStatus))))


def _ids(query: ImageQuery, value: str) -> ImageQuery:
    # What is no id names no image, but must not mean "all".
    return evolve(query, ids=tuple(ids.parse_uuid(each) or each for each in _several(value)))


def _bound(attribute: str) -> Callable[[ImageQuery, str], ImageQuery]:
    def read(query: ImageQuery, value: str) -> ImageQuery:
        # Who looks for an image by its id means it however it is listed.
        bounded = evolve(query, hidden=None, community=True)
        return _with(bounded, attribute, _uuid(attribute, value))
    return read


def _uuid(name: str, value: str) -> str:
    found = ids.parse_uuid(value)
    if found is None:
        raise errors.InvalidValue(name, f"{value!r} is not a UUID")
    return found


def _marker(query: ImageQuery, value: str) -> ImageQuery:
    marker = ids.parse_uuid(value)
    if marker is None:
        raise errors.InvalidMarker(f"Marker {value} is not the id of an image.")
    return evolve(query, marker=marker)


def _limit(query: ImageQuery, value: str) -> ImageQuery:
    return evolve(query, limit=max(1, min(_number("limit", value), MAX_LIMIT)))


def _time(name: str) -> Callable[[ImageQuery, str], ImageQuery]:
    def read(query: ImageQuery, value: str) -> ImageQuery:
        operator, colon, rest = value.partition(":")
        if operator not in _OPERATORS or not colon:
            operator, rest = "eq", value
        try:
            moment = datetime.fromisoformat(rest)
        except ValueError:
            raise errors.InvalidValue(name, f"{rest!r} is not a time",
                                      remedy="Write it as gte:2026-01-31T12:00:00Z.") from None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return evolve(query, times=(*query.times, (name, operator, seconds)))
    return read


def _flag(name: str, attribute: str) -> Callable[[ImageQuery, str], ImageQuery]:
    def read(query: ImageQuery, value: str) -> ImageQuery:
        return _with(query, attribute, _one_of(name, value.lower(), ("true", "false")) == "true")
    return read


def _size(attribute: str) -> Callable[[ImageQuery, str], ImageQuery]:
    return lambda query, value: _with(query, attribute, _number(attribute, value))


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise errors.InvalidValue(name, f"{value!r} is not a number of 0 or more")
    return int(value)


def _one_of(name: str, value: str, allowed: Iterable[Any]) -> str:
    words = tuple(allowed)
    if value not in words:
        raise errors.InvalidValue(name, f"{value!r} is not one of {', '.join(words)}")
    return value


_READERS: dict[str, Callable[[ImageQuery, str], ImageQuery]] = {
    "id": _ids,
    "id_from": _bound("id_from"),
    "id_to": _bound("id_to"),
    "viewer": lambda query, value: evolve(query, viewer=_uuid("viewer", value)),
    "visibility": _visibility,
    "member_status": _member_status,
    "owner": lambda query, value: evolve(query, owners=(value,)),
    "checksum": lambda query, value: evolve(query, checksums=(value,)),
    "tag": lambda query, value: evolve(query, tags=(*query.tags, value)),
    "protected": _flag("protected", "protected"),
    "os_hidden": _flag("os_hidden", "hidden"),
    "size_min": _size("size_min"),
    "size_max": _size("size_max"),
    "created_at": _time("created_at"),
    "updated_at": _time("updated_at"),
    "limit": _limit,
    "marker": _marker,
}
