"""What every list of this API takes: exact filters, sorting, paging, and a choice of fields.

Lists are of one project and short, so they are made of views that have been rendered already.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from stackd import errors
from stackd.api.openstack.http import Answer, Call
from stackd.model import ids

View = dict[str, Any]
_CONTROLS = frozenset({"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"})
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
# The SDK and OSC write an absent filter like this.
_ABSENT = "None"


def listed(call: Call, collection: str, views: Sequence[View]) -> Answer:
    """The page of the views that the query asks for."""
    found = _sorted(call, [view for view in views if _wanted(call, view)])
    page, links = _page(call, found)
    body: dict[str, Any] = {collection: [chosen(call, view) for view in page]}
    if links:
        body[f"{collection}_links"] = links
    return Answer(body)


def chosen(call: Call, view: View) -> View:
    """The fields of a view that the query asks for; all when it names none."""
    fields = [name for name in call.args("fields") if name]
    return {name: view[name] for name in fields if name in view} if fields else view


def ids_of(call: Call, name: str) -> tuple[str, ...] | None:
    """The ids a filter names, in our form, to ask the store for no more; None when there is no such filter."""
    values = tuple(value for value in call.args(name) if value != _ABSENT)
    return tuple(ids.parse_uuid(value) or value for value in values) or None


def _wanted(call: Call, view: View) -> bool:
    filters: dict[str, list[str]] = {}
    for name, value in call.query:
        if name in view and name not in _CONTROLS and value != _ABSENT:
            filters.setdefault(name, []).append(value)
    return all(_one_of(view[name], values, every=name == "fixed_ips") for name, values in filters.items())


def _one_of(have: Any, values: Sequence[str], every: bool) -> bool:
    # Repeated keys are alternatives; only the parts of a fixed address are demanded together.
    matches = (_equal(have, value) for value in values)
    return all(matches) if every else any(matches)


def _equal(have: Any, value: str) -> bool:
    if isinstance(have, bool):
        return value.lower() in (_TRUE if have else _FALSE)
    if isinstance(have, list):
        return any(_inside(one, value) for one in have)
    return have == value or _text(have) == (ids.parse_uuid(value) or value)


def _inside(one: Any, value: str) -> bool:
    if not isinstance(one, dict):
        return _equal(one, value)
    name, separator, wanted = value.partition("=")
    return bool(separator) and name in one and _equal(one[name], wanted)


def _text(have: Any) -> str:
    text = "" if have is None else str(have)
    return ids.parse_uuid(text) or text


def _sorted(call: Call, views: list[View]) -> list[View]:
    keys, directions = call.args("sort_key"), call.args("sort_dir")
    if directions and len(directions) != len(keys):
        raise errors.InvalidValue("sort_dir", "there must be one for each sort_key.")
    pairs = list(zip(keys, directions or ["asc"] * len(keys), strict=True))
    for key, direction in reversed(pairs):
        if direction not in ("asc", "desc"):
            raise errors.InvalidValue("sort_dir", f"'{direction}' is neither asc nor desc.")
        if views and (key not in views[0] or isinstance(views[0][key], list | dict)):
            raise errors.InvalidValue("sort_key", f"'{key}' cannot be sorted by.")
        views.sort(key=lambda view, key=key: (view[key] is not None, view[key]),  # type: ignore[misc]
                   reverse=direction == "desc")
    return views


def _page(call: Call, views: list[View]) -> tuple[list[View], list[dict[str, str]]]:
    limit, marker = call.number("limit", 0), call.arg("marker")
    backwards = (call.arg("page_reverse") or "").lower() in _TRUE
    at = _position(views, marker)
    if backwards:
        end = len(views) if at is None else at
        start = max(0, end - limit) if limit else 0
    else:
        start = 0 if at is None else at + 1
        end = start + limit if limit else len(views)
    page = views[start:end]
    if not limit or not page:
        return page, []
    links = [_link(call, "next", page[-1]["id"])] if end < len(views) else []
    return page, links + ([_link(call, "previous", page[0]["id"])] if start > 0 else [])


def _position(views: list[View], marker: str | None) -> int | None:
    if not marker:
        return None
    for index, view in enumerate(views):
        if _equal(view["id"], marker):
            return index
    raise errors.InvalidMarker(f"The marker {marker} names nothing of this list.")


def _link(call: Call, relation: str, marker: str) -> dict[str, str]:
    query = [(name, value) for name, value in call.query if name not in ("marker", "page_reverse")]
    query += [("marker", marker)] + ([("page_reverse", "True")] if relation == "previous" else [])
    return {"rel": relation, "href": f"{call.base}{call.path}?{urlencode(query)}"}
