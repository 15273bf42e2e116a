"""EC2's filters: alternatives inside a filter, conjunction between filters, wildcards ``*`` and ``?``.

Filters look at what the client would be shown: each action has a table from the filter's name to a path into its
views. ``tag:KEY``, ``tag-key`` and ``tag-value`` work wherever the views have Tags.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from stackd import errors
from stackd.api.ec2.rendering import iso8601

V = TypeVar("V", bound=Mapping[str, Any])
Paths = Mapping[str, str]
Match = Callable[[Mapping[str, Any]], bool]

_WILD = re.compile(r"\\(.)|([*?])|([^\\*?]+)|(\\)$", re.DOTALL)


def keep(filters: Sequence[Mapping[str, Any]], views: Iterable[V], paths: Paths) -> list[V]:
    """The views that pass all filters (``[{"Name", "Values"}]`` as parsed)."""
    match = compiled(filters, paths)
    return [view for view in views if match(view)]


def compiled(filters: Sequence[Mapping[str, Any]], paths: Paths) -> Match:
    """One predicate for all filters; raises ``InvalidValue`` for an unknown filter."""
    matches = [_one(entry, paths) for entry in filters]
    return lambda view: all(match(view) for match in matches)


def _one(entry: Mapping[str, Any], paths: Paths) -> Match:
    name, wanted = entry.get("Name", ""), entry.get("Values")
    if not name:
        raise errors.MissingValue("the parameter Filter.Name")
    if not wanted:
        raise errors.InvalidValue(f"the filter {name!r}", "it has no values.")
    accepts = _accepts(wanted)
    find = _finder(name, paths)
    return lambda view: any(accepts(text) for text in find(view))


def _finder(name: str, paths: Paths) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    if name in paths:
        parts = paths[name].split(".")
        return lambda view: texts(view, parts)
    if name in ("tag-key", "tag-value"):
        return lambda view: texts(view, ["Tags", "Key" if name == "tag-key" else "Value"])
    if name.startswith("tag:"):
        return lambda view: (tag["Value"] for tag in view.get("Tags") or () if tag["Key"] == name[4:])
    raise errors.InvalidValue("Filter.Name", f"the filter {name!r} is invalid.",
                              remedy=f"Filters are {', '.join(sorted(paths))}, and where there are tags, tag:KEY.")


def texts(value: Any, parts: Sequence[str]) -> Iterator[str]:
    """Every value at the path below ``value``, as filters write it; lists on the way are walked."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item, parts)
    elif parts:
        inner = value.get(parts[0])
        if inner is not None:
            yield from texts(inner, parts[1:])
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, float):  # every one of them is a time
        yield iso8601(value)
    else:
        yield str(value)


def _accepts(wanted: Sequence[str]) -> Callable[[str], bool]:
    """Exact texts are looked up, only patterns are matched: a filter may hold hundreds of ids."""
    exact = frozenset(text for text in wanted if not set(text) & set("*?\\"))
    patterns = [pattern(text) for text in wanted if text not in exact]
    return lambda text: text in exact or any(one.fullmatch(text) for one in patterns)


def pattern(text: str) -> re.Pattern[str]:
    """A value with wildcards as a regular expression; a backslash takes the meaning from what follows."""
    parts = [""]
    for match in _WILD.finditer(text):
        if match[2] == "*":
            parts.append("")
        else:
            parts[-1] += "." if match[2] else re.escape(match[1] or match[3] or match[4])
    first, *middle = parts
    if not middle:
        return re.compile(first, re.DOTALL)
    # What stands between two stars is looked for once, from the left, and never again: else a pattern of many stars
    # would keep the cloud busy for ever.
    return re.compile(first + "".join(f"(?>.*?{each})" for each in middle[:-1]) + f".*{middle[-1]}", re.DOTALL)
