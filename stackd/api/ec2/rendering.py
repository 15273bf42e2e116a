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

Write = Callable[[Any], str]

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
        """Compile the output shape; operations without one answer with the request id alone."""
        shape = operation.output_shape
        self._content = _Compiler(operation.service_model.protocol).structure(shape) if shape else lambda values: ""
        wrapper = shape.serialization.get("resultWrapper") if shape else None
        root = f"{operation.name}Response"
        self._open = f'{HEAD}<{root} xmlns="{namespace}">'
        self._close = f"</{root}>"
        self._wrap = (f"<{wrapper}>", f"</{wrapper}>") if wrapper else ("", "")
        self._ec2 = operation.service_model.protocol == "ec2"

    def __call__(self, values: dict[str, Any], request_id: str) -> bytes:
        """The whole answer; ``values`` are keyed by the model's member names."""
        opening, closing = self._wrap
        content = f"{opening}{self._content(values)}{closing}"
        if self._ec2:
            return f"{self._open}<requestId>{request_id}</requestId>{content}{self._close}".encode()
        metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        return f"{self._open}{content}{metadata}{self._close}".encode()


class _Compiler:
    """Turns shapes into writing functions, one each."""

    def __init__(self, protocol: str) -> None:
        self._ec2 = protocol == "ec2"
        self._done: dict[str, Write] = {}

    def compile(self, shape: Shape) -> Write:
        if isinstance(shape, StructureShape):
            if shape.name not in self._done:
                # A shape may hold itself: the name must be known before its members are compiled.
                self._done[shape.name] = lambda value: self._done[shape.name](value)
                self._done[shape.name] = self.structure(shape)
            return self._done[shape.name]
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            raise NotImplementedError(f"no operation of ours answers with a map: {shape.name}")
        return _SCALARS[shape.type_name]

    def structure(self, shape: StructureShape) -> Write:
        members: dict[str, tuple[str, str, Write]] = {}
        for name, member in shape.members.items():
            tag = member.serialization.get("name", name)
            members[name] = (f"<{tag}>", f"</{tag}>", self.compile(member))

        def write(values: dict[str, Any]) -> str:
            parts = []
            for name, value in values.items():
                if value is not None:
                    opening, closing, render = members[name]
                    parts.append(f"{opening}{render(value)}{closing}")
            return "".join(parts)

        return write

    def _list(self, shape: ListShape) -> Write:
        tag = shape.member.serialization.get("name", "item" if self._ec2 else "member")
        opening, closing, render = f"<{tag}>", f"</{tag}>", self.compile(shape.member)

        def write(values: list[Any]) -> str:
            return "".join([f"{opening}{render(value)}{closing}" for value in values])

        return write


def _timestamp(value: Any) -> str:
    return iso8601(value.timestamp() if isinstance(value, datetime) else value)


def _blob(value: bytes) -> str:
    return base64.b64encode(value).decode()


_SCALARS: dict[str, Write] = {
    "string": lambda value: escape(value) if _SPECIAL.search(value) else value,
    "integer": lambda value: str(int(value)), "long": lambda value: str(int(value)),
    "boolean": lambda value: "true" if value else "false",
    "float": repr, "double": repr, "timestamp": _timestamp, "blob": _blob,
}
