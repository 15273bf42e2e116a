"""Records and errors <-> JSON values, for messages between daemons and for JSON columns.

One converter writes and reads every frozen record of ``stackd.model``: enums by value, tuples and sets as lists,
bytes as text. Keys that a newer release added are ignored, keys it left out take their defaults, so neighbours of
different releases understand each other. Buses, ``workers/remote.py`` and the store call it.
"""

import inspect
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from cattrs.preconf.orjson import make_converter

from stackd import errors

T = TypeVar("T")

_converter = make_converter(detailed_validation=False)
_converter.register_unstructure_hook_func(
    lambda cls: isinstance(cls, type) and issubclass(cls, Enum), lambda member: member.value)


def _is_plain_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple and get_args(cls)[-1] is ... and not isinstance(get_args(cls)[0], TypeVar)


def _load_tuple(cls: Any) -> Callable[[Any, Any], tuple[Any, ...]]:
    item = get_args(cls)[0]
    if item is str:
        # A group of ten thousand members is a tuple of ten thousand addresses.
        return lambda values, _: tuple(map(str, values))
    load_item = _converter.get_structure_hook(item)
    return lambda values, _: tuple([load_item(value, item) for value in values])


def _dump_tuple(cls: Any) -> Callable[[Any], list[Any]]:
    if get_args(cls)[0] is str:
        return list
    dump_item = _converter.get_unstructure_hook(get_args(cls)[0])
    return lambda values: [dump_item(value) for value in values]


# The converter's own way with tuples costs a third of the whole journey; most of ours are empty or short.
_converter.register_structure_hook_factory(_is_plain_tuple, _load_tuple)
_converter.register_unstructure_hook_factory(_is_plain_tuple, _dump_tuple)


def dump(record: Any) -> Any:
    """The JSON value of a record (a dict) or of a list, tuple or mapping of records."""
    return _converter.unstructure(record)


def load(cls: type[T], value: Any) -> T:
    """The record of type ``cls`` from its JSON value; raises ``Malformed`` when it is not one."""
    try:
        return _converter.structure(value, cls)
    except Exception as error:  # cattrs raises whatever the field's type raised
        raise errors.Malformed(f"This is no {cls.__name__}: {error!r}.") from error


def dump_error(error: BaseException) -> dict[str, Any]:
    """The JSON value of an error; one that is not of ``stackd.errors`` travels as ``Internal`` without its words."""
    if not isinstance(error, errors.StackdError):
        return {"type": errors.Internal.__name__, "message": "An internal error occurred.", "fields": {}}
    return {"type": type(error).__name__, "message": error.message, "fields": error.wire()}


def load_error(value: dict[str, Any]) -> errors.StackdError:
    """The error again; a class this release does not know becomes ``Internal`` with the same message."""
    message = str(value.get("message", ""))
    rebuild = _error_classes().get(str(value.get("type")))
    if rebuild is None:
        return errors.Internal(message)
    cls, names = rebuild
    try:
        return cls(**{name: each for name, each in value.get("fields", {}).items() if name in names})
    except (TypeError, AttributeError):
        return errors.Internal(message)


@cache
def _error_classes() -> dict[str, tuple[Callable[..., errors.StackdError], frozenset[str]]]:
    """Every class of the tree by name, with the names its constructor takes."""
    found: dict[str, tuple[Callable[..., errors.StackdError], frozenset[str]]] = {}
    waiting: list[type[errors.StackdError]] = [errors.StackdError]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        if cls.__module__ == errors.__name__:
            found[cls.__name__] = cls, frozenset(inspect.signature(cls).parameters)
    return found
