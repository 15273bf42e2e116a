"""From flat parameters (``Filter.1.Value.2=x``) to nested, typed values by the shape of the operation's input.

Each shape is compiled once to a function; nothing is ever guessed from the text of a value. What the shape does
not have is ``UnknownField``, what it cannot hold ``InvalidValue``. ``dispatch`` keeps one parser per operation.
"""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from stackd import errors

Node = dict[str, Any]
Parse = Callable[[Any, str], Any]
"""(a node of the tree or a text, the parameter's name for messages) -> value."""

MAX_ITEMS = 1000
MAX_DEPTH = 12
UNCHECKED_ENUMS = frozenset({"InstanceType"})
"""Our flavors decide which instance types there are, not AWS's list."""
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_BITS = {"integer": 31, "long": 63}


class Parser:
    """Reads the parameters of one operation; ``style`` is the protocol's, ``ec2`` or ``query``."""

    def __init__(self, shape: Shape | None, style: str) -> None:
        """Compile the input shape; None for operations without parameters."""
        self._parse = _Compiler(style).structure(shape) if isinstance(shape, StructureShape) else _nothing

    def __call__(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Member names -> values; absent members are absent."""
        parsed: dict[str, Any] = self._parse(tree(parameters), "")
        return parsed


def tree(parameters: Mapping[str, str]) -> Node:
    """Nest the dotted names; a name that is both a value and a branch is refused."""
    root: Node = {}
    for name, value in parameters.items():
        *branches, leaf = name.split(".", MAX_DEPTH)
        node = root
        for branch in branches:
            node = node.setdefault(branch, {})
            if not isinstance(node, dict):
                raise errors.UnknownField(name)
        if leaf in node:
            raise errors.UnknownField(name)
        node[leaf] = value
    return root


def _nothing(node: Any, where: str) -> dict[str, Any]:
    for name in node:
        raise errors.UnknownField(_first_name(node[name], name))
    return {}


class _Compiler:
    """Turns shapes into parsing functions, one each."""

    def __init__(self, style: str) -> None:
        self._ec2 = style == "ec2"
        self._done: dict[str, Parse] = {}

    def compile(self, shape: Shape) -> Parse:
        if isinstance(shape, StructureShape):
            if shape.name not in self._done:
                # A shape may hold itself: the name must be known before its members are compiled.
                self._done[shape.name] = lambda node, where: self._done[shape.name](node, where)
                self._done[shape.name] = self.structure(shape)
            return self._done[shape.name]
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            raise NotImplementedError(f"no operation of ours takes a map: {shape.name}")
        return _text_only(_SCALARS[shape.type_name](shape))

    def structure(self, shape: StructureShape) -> Parse:
        members = {self._name(member, name): (name, self.compile(member)) for name, member in shape.members.items()}
        required = {name: query for query, (name, _) in members.items() if name in shape.required_members}

        def parse(node: Any, where: str) -> dict[str, Any]:
            if not isinstance(node, dict):
                raise errors.InvalidValue(where, "it has members of its own and no value.")
            values = {}
            for key, child in node.items():
                if key not in members:
                    raise errors.UnknownField(_first_name(child, _join(where, key)))
                name, read = members[key]
                values[name] = read(child, _join(where, key))
            for name, query in required.items():
                if name not in values:
                    raise errors.MissingValue(f"the parameter {_join(where, query)}")
            return values

        return parse

    def _list(self, shape: ListShape) -> Parse:
        item = self.compile(shape.member)
        wrapper = None if self._ec2 or shape.serialization.get("flattened") \
            else shape.member.serialization.get("name", "member")

        def parse(node: Any, where: str) -> list[Any]:
            if node == "":
                return []  # how botocore writes an empty list in the query protocol
            if wrapper is not None and isinstance(node, dict) and node.keys() == {wrapper}:
                node, where = node[wrapper], _join(where, wrapper)
            if not isinstance(node, dict):
                raise errors.InvalidValue(where, f"it is a list: write {where}.1, {where}.2 and so on.")
            if len(node) > MAX_ITEMS:
                raise errors.InvalidValue(where, f"at most {MAX_ITEMS} items are allowed.")
            return [item(node[key], _join(where, key)) for key in sorted(node, key=lambda key: _index(key, where))]

        return parse

    def _name(self, shape: Shape, default: str) -> str:
        serialization = shape.serialization
        if not self._ec2:
            return str(serialization.get("name", default))
        if "queryName" in serialization:
            return str(serialization["queryName"])
        name = str(serialization.get("name", default))
        return name[0].upper() + name[1:]


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _first_name(node: Any, where: str) -> str:
    """The full name of the first parameter below a node, as the client wrote it."""
    while isinstance(node, dict):
        key = next(iter(node))
        node, where = node[key], _join(where, key)
    return where


def _index(key: str, where: str) -> int:
    if not (key.isascii() and key.isdecimal() and len(key) <= 6 and int(key) > 0):
        raise errors.InvalidValue(_join(where, key), "list items are numbered from 1.")
    return int(key)


def _text_only(parse: Callable[[str, str], Any]) -> Parse:
    def check(node: Any, where: str) -> Any:
        if isinstance(node, dict):
            raise errors.UnknownField(_first_name(node, where))
        return parse(node, where)
    return check


def _string(shape: Shape) -> Callable[[str, str], str]:
    allowed = frozenset() if shape.name in UNCHECKED_ENUMS else frozenset(getattr(shape, "enum", ()))
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", math.inf)

    def parse(text: str, where: str) -> str:
        if allowed and text not in allowed:
            raise errors.InvalidValue(where, f"{text[:64]!r} is not one of {', '.join(sorted(allowed)[:20])}.")
        if not low <= len(text) <= high:
            raise errors.InvalidValue(where, f"its length must be between {low} and {high} characters.")
        return text

    return parse


def _integer(shape: Shape) -> Callable[[str, str], int]:
    bound = 1 << _BITS[shape.type_name]
    low, high = shape.metadata.get("min", -bound), shape.metadata.get("max", bound - 1)

    def parse(text: str, where: str) -> int:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
            raise errors.InvalidValue(where, f"{text[:64]!r} is not an integer.")
        if not low <= int(text) <= high:
            raise errors.InvalidValue(where, f"{text} is not between {low} and {high}.")
        return int(text)

    return parse


def _boolean(shape: Shape) -> Callable[[str, str], bool]:
    def parse(text: str, where: str) -> bool:
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise errors.InvalidValue(where, f"{text[:64]!r} is neither true nor false.")
    return parse


def _float(shape: Shape) -> Callable[[str, str], float]:
    def parse(text: str, where: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise errors.InvalidValue(where, f"{text[:64]!r} is not a number.")
        return value
    return parse


def _timestamp(shape: Shape) -> Callable[[str, str], datetime]:
    def parse(text: str, where: str) -> datetime:
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            raise errors.InvalidValue(where, f"{text[:64]!r} is not an ISO 8601 time.") from None
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return parse


def _blob(shape: Shape) -> Callable[[str, str], bytes]:
    def parse(text: str, where: str) -> bytes:
        return decode_base64(text, where)
    return parse


def decode_base64(text: str, where: str) -> bytes:
    """The bytes of base64 text, blanks and line ends allowed; raises ``InvalidValue``."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise errors.InvalidValue(where, "it is not valid base64.") from None


_SCALARS: Mapping[str, Callable[[Shape], Callable[[str, str], Any]]] = {
    "string": _string, "character": _string, "integer": _integer, "long": _integer, "boolean": _boolean,
    "float": _float, "double": _float, "timestamp": _timestamp, "blob": _blob,
}
