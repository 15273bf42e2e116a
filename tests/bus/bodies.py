"""Every body of a message, with all its fields set to something else than their defaults: what samples are made of.

``python -m tests.bus.bodies`` writes the samples of the next number where a body changed; commit them with the change.
"""

import json
import types
from collections.abc import Collection, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import orjson

from stackd import errors
from stackd.imageservice import endpoint
from stackd.imageservice.registry import Registry
from stackd.imageservice.sharing import Sharing
from stackd.interfaces.identity import IIdentity
from stackd.model import wire
from stackd.model.assignments import Assignments, FetchRequest, Hello, Report
from stackd.model.callers import Caller

SAMPLES = Path(__file__).parent.parent / "samples" / "bodies"
HOSTS: dict[str, Any] = {
    "hello": Hello, "hello answers": int, "fetch": FetchRequest, "fetch answers": Assignments, "report": Report,
    "user_data": {"host": str, "instance_id": str}, "user_data answers": str,
    "console_output": {"instance_id": str, "length": int}, "console_output answers": str, "wake": {"within": float}}
"""What goes between a host and the control plane."""


def registry() -> dict[str, Any]:
    """What goes between ``stack-image`` and ``stack-registry``."""
    found: dict[str, Any] = {}
    for prefix, cls, names in ((endpoint.IMAGES, Registry, endpoint.IMAGE_CALLS),
                               (endpoint.MEMBERS, Sharing, endpoint.MEMBER_CALLS)):
        for name in names:
            hints = get_type_hints(getattr(cls, name))
            answer = hints.pop("return")
            # What asks reads any collection as a tuple.
            found[f"{prefix}.{name} answers"] = tuple[str, ...] if answer == Collection[str] else answer
            found[f"{prefix}.{name}"] = hints
    assert IIdentity["caller_of_token"].positional == ("token", "request_id")
    return found | {"caller.of_token": {"token": str, "request_id": str}, "caller.of_token answers": Caller}


def bodies() -> dict[str, dict[str, Any]]:
    """Group -> name -> type, or the types of its keys."""
    return {"hosts": HOSTS, "registry": registry()}


def filled(kind: Any, bound: Mapping[Any, Any] | None = None) -> Any:
    """A value of this type in which nothing is left at its default."""
    bound = bound or {}
    if isinstance(kind, TypeVar):
        return filled(bound[kind])
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return filled(next(each for each in args if each is not type(None)), bound)
    if origin is not None and attrs.has(origin):
        return _record(origin, dict(zip(origin.__parameters__, args, strict=True)))
    if origin in (tuple, list, frozenset, Collection) or (isinstance(origin, type) and issubclass(
            origin, Collection) and not issubclass(origin, Mapping)):
        items = args[:1] if origin is not tuple or args[-1] is ... else args
        return tuple(filled(item, bound) for item in items)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"key": filled(args[1], bound)}
    return _record(kind, bound) if attrs.has(kind) else _plain(kind)


def _record(cls: type, bound: Mapping[Any, Any]) -> Any:
    hints = get_type_hints(cls)
    return cls(**{field.alias: filled(hints[field.name], bound) for field in attrs.fields(cls) if field.init})


def _plain(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)[-1]
    if kind in (type(None), None):
        return None
    return {str: "text", int: 7, float: 1.5, bool: True, bytes: b"bytes", Any: "anything"}[kind]


def dumped(kind: Any) -> Any:
    """The JSON value of a body of this kind, as it is sent now."""
    value = {name: wire.dump(filled(each)) for name, each in kind.items()} if isinstance(kind, dict) \
        else wire.dump(filled(kind))
    return orjson.loads(orjson.dumps(value))


def enums(kind: Any, seen: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """All words of the enums that a body of this kind may hold."""
    if isinstance(kind, dict):
        kinds: Collection[Any] = kind.values()
    elif isinstance(kind, type) and issubclass(kind, Enum):
        seen[kind.__name__] = [member.value for member in kind]
        kinds = ()
    elif attrs.has(get_origin(kind) or kind):
        kinds = (*get_type_hints(get_origin(kind) or kind).values(), *get_args(kind))
    else:
        kinds = get_args(kind)
    for each in kinds:
        enums(each, seen)
    return seen


def present() -> dict[str, Any]:
    """What would be the newest samples, by group: bodies, words of enums, and fields of errors."""
    made: dict[str, Any] = {group: {name: dumped(kind) for name, kind in kinds.items()}
                            for group, kinds in bodies().items()}
    words: dict[str, list[Any]] = {}
    for kinds in bodies().values():
        for kind in kinds.values():
            enums(kind, words)
    return made | {"enums": words, "errors": {
        cls.__name__: sorted(attrs_of(cls)) for cls in leaves(errors.StackdError)}}


def leaves(cls: type) -> list[type]:
    """The errors of the tree that are raised."""
    below = [each for each in cls.__subclasses__() if each.__module__ == errors.__name__]
    return [leaf for each in below for leaf in leaves(each)] or [cls]


def attrs_of(cls: type) -> list[str]:
    """What the constructor of an error takes."""
    return list(wire._error_classes()[cls.__name__][1])


def kept(group: str) -> list[Path]:
    """The samples of a group, oldest first."""
    return sorted(SAMPLES.glob(f"{group}.*.json"), key=lambda path: int(path.name.split(".")[1]))


def write() -> list[Path]:
    """The next samples of what has changed."""
    SAMPLES.mkdir(exist_ok=True)
    written = []
    for group, value in present().items():
        before = kept(group)
        if not before or json.loads(before[-1].read_text()) != value:
            written.append(SAMPLES / f"{group}.{len(before) + 1}.json")
            written[-1].write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    return written


if __name__ == "__main__":
    print(*write(), sep="\n")
