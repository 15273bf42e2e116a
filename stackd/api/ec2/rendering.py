"""From member names and values to the XML that AWS's clients parse, by the shape of the operation's output.

Each shape is compiled once to a function from value to text, so that a thousand instances render in milliseconds.
A member the shape does not have is a defect (KeyError), an empty list an empty element, None is left out.
``dispatch`` keeps one renderer per operation; ``faults`` renders errors.
"""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

Emit = Callable[[str], None]
Write = Callable[[Any, Emit], None]

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL = re.compile("[&<>\"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}


def escape(text: str) -> str:
    """Text as XML content; characters XML cannot hold become U+FFFD."""
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match[0], "\ufffd"), text)


def iso8601(seconds: float) -> str:
    """Epoch seconds as AWS writes times, in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Renderer:
    """Writes the answers of one operation."""

    def __init__(self, operation: OperationModel, namespace: str) -> None:
        """Compile the output shape; EC2's operations without one answer ``return`` true, which old clients look for."""
        shape = operation.output_shape
        self._ec2 = operation.service_model.protocol == "ec2"
        self._write = _Compiler(self._ec2).structure(shape) if shape else _nothing
        self._empty = "<return>true</return>" if self._ec2 and not shape else ""
        wrapper = shape.serialization.get("resultWrapper") if shape else None
        root = f"{operation.name}Response"
        self._open = f'{HEAD}<{root} xmlns="{namespace}">'
        self._close = f"</{root}>"
        self._wrap = (f"<{wrapper}>", f"</{wrapper}>") if wrapper else ("", self._empty)

    def __call__(self, values: dict[str, Any], request_id: str) -> bytes:
        """The whole answer; ``values`` are keyed by the model's member names."""
        opening, closing = self._wrap
        parts = [self._open, f"<requestId>{request_id}</requestId>" if self._ec2 else "", opening]
        self._write(values, parts.append)
        metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        parts += (closing, "" if self._ec2 else metadata, self._close)
        return "".join(parts).encode()


def _nothing(values: dict[str, Any], emit: Emit) -> None:
    """What an operation without an output shape has to say."""


class _Compiler:
    """Turns shapes into writing functions, one each; all of them write into one list of parts."""

    def __init__(self, ec2: bool) -> None:
        self._ec2 = ec2
        self._done: dict[str, Write] = {}

    def element(self, shape: Shape, tag: str) -> Write:
        """A function that writes a value of the shape between its tags."""
        opening, closing = f"<{tag}>", f"</{tag}>"
        if shape.type_name == "string":
            return _string(opening, closing)
        if isinstance(shape, (StructureShape, ListShape)):
            inner = self._compound(shape)

            def write(value: Any, emit: Emit) -> None:
                emit(opening)
                inner(value, emit)
                emit(closing)

            return write
        if isinstance(shape, MapShape):
            raise NotImplementedError(f"no operation of ours answers with a map: {shape.name}")
        text = _SCALARS[shape.type_name]
        return lambda value, emit: emit(f"{opening}{text(value)}{closing}")

    def _compound(self, shape: StructureShape | ListShape) -> Write:
        if isinstance(shape, ListShape):
            return self._list(shape)
        if shape.name not in self._done:
            # A shape may hold itself: the name must be known before its members are compiled.
            self._done[shape.name] = lambda value, emit: self._done[shape.name](value, emit)
            self._done[shape.name] = self.structure(shape)
        return self._done[shape.name]

    def structure(self, shape: StructureShape) -> Write:
        """A function that writes the members, without tags around them."""
        members = {name: self.element(member, member.serialization.get("name", name))
                   for name, member in shape.members.items()}

        def write(values: dict[str, Any], emit: Emit) -> None:
            for name, value in values.items():
                if value is not None:
                    members[name](value, emit)

        return write

    def _list(self, shape: ListShape) -> Write:
        item = self.element(shape.member, shape.member.serialization.get("name", "item" if self._ec2 else "member"))

        def write(values: list[Any], emit: Emit) -> None:
            for value in values:
                item(value, emit)

        return write


def _string(opening: str, closing: str) -> Write:
    special = _SPECIAL.search

    def write(value: str, emit: Emit) -> None:
        emit(f"{opening}{escape(value) if special(value) else value}{closing}")

    return write


def _timestamp(value: Any) -> str:
    return iso8601(value.timestamp() if isinstance(value, datetime) else value)


def _blob(value: bytes) -> str:
    return base64.b64encode(value).decode()


_SCALARS: dict[str, Callable[[Any], str]] = {
    "integer": lambda value: str(int(value)), "long": lambda value: str(int(value)),
    "boolean": lambda value: "true" if value else "false",
    "float": repr, "double": repr, "timestamp": _timestamp, "blob": _blob,
}
