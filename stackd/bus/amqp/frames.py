"""Methods and content as frames: each method's fields are compiled once into lists of encoders and decoders.

``wire.py`` calls it for every message. Frames of one message are joined, so that a publish is one write.
"""

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from attrs import frozen
from txamqp.content import Content
from txamqp.spec import Class, Method, Spec

from stackd.bus.amqp import spec as table
from stackd.bus.amqp.fields import TYPES, Decoder, Encoder

FRAME = struct.Struct(">BHI")
_HEADER = struct.Struct(">HHQH")
_NUMBERS = struct.Struct(">HH")
_END = bytes((table.FRAME_END,))
OVERHEAD = FRAME.size + len(_END)
HEARTBEAT = FRAME.pack(table.FRAME_HEARTBEAT, 0, 0) + _END
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

_Write = Callable[[Any], bytes]
_Read = Callable[[bytes, int, list[Any]], int]


def _write_bits(first: int, count: int) -> _Write:
    def write(args: Any) -> bytes:
        octet = 0
        for place in range(count):
            octet |= bool(args[first + place]) << place
        return bytes((octet,))
    return write


def _read_bits(count: int) -> _Read:
    def read(raw: bytes, at: int, found: list[Any]) -> int:
        found.extend([bool(raw[at] >> place & 1) for place in range(count)])
        return at + 1
    return read


def _write_one(encode: Encoder, place: int) -> _Write:
    return lambda args: encode(args[place])


def _read_one(decode: Decoder) -> _Read:
    def read(raw: bytes, at: int, found: list[Any]) -> int:
        value, at = decode(raw, at)
        found.append(value)
        return at
    return read


def _compiled(kinds: list[str]) -> tuple[tuple[_Write, ...], tuple[_Read, ...]]:
    writers: list[_Write] = []
    readers: list[_Read] = []
    place = 0
    while place < len(kinds):
        if kinds[place] == "bit":
            count = 1
            while count < 8 and kinds[place + count:place + count + 1] == ["bit"]:
                count += 1
            writers.append(_write_bits(place, count))
            readers.append(_read_bits(count))
            place += count
        else:
            encode, decode = TYPES[kinds[place]]
            writers.append(_write_one(encode, place))
            readers.append(_read_one(decode))
            place += 1
    return tuple(writers), tuple(readers)


@frozen(eq=False)
class MethodCodec:
    """One method's way to bytes and back."""

    method: Method
    numbers: bytes
    writers: tuple[_Write, ...]
    readers: tuple[_Read, ...]
    no_wait: int | None
    """The place of the field that asks for no answer."""

    def encode(self, args: tuple[Any, ...]) -> bytes:
        """The payload of a method frame."""
        return self.numbers + b"".join([write(args) for write in self.writers])

    def decode(self, payload: bytes) -> list[Any]:
        """The fields of a method frame's payload."""
        found: list[Any] = []
        at = _NUMBERS.size
        for read in self.readers:
            at = read(payload, at, found)
        return found


@cache
def codec(method: Method) -> MethodCodec:
    """The compiled codec of a method."""
    writers, readers = _compiled([field.type for field in method.fields])
    names = [field.name for field in method.fields]
    return MethodCodec(method, _NUMBERS.pack(method.klass.id, method.id), writers, readers,
                       names.index("no-wait") if "no-wait" in names else None)


class Codecs:
    """All methods of a spec by their numbers."""

    def __init__(self, spec: Spec) -> None:
        """Compile them."""
        self._codecs = {codec(method).numbers: codec(method) for each in spec.classes for method in each.methods}

    def of(self, payload: bytes) -> MethodCodec:
        """The method of a payload; raises ``ValueError`` for numbers the spec does not know."""
        found = self._codecs.get(payload[:_NUMBERS.size])
        if found is None:
            raise ValueError(f"unknown method {payload[:_NUMBERS.size]!r}")
        return found


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One frame."""
    return FRAME.pack(kind, channel, len(payload)) + payload + _END


@cache
def _properties(klass: Class) -> tuple[tuple[str, int, Encoder, Decoder], ...]:
    """Name, flag, encoder and decoder of each property, in order."""
    return tuple((field.name, 1 << 15 - place, *TYPES[field.type]) for place, field in enumerate(klass.fields))


def content_frames(channel: int, klass: Class, content: Content, most: int) -> list[bytes]:
    """Header and body frames, none longer than ``most`` bytes; raises ``ValueError`` for unknown properties."""
    body = content.body.encode() if isinstance(content.body, str) else content.body
    flags, values, given = 0, [], content.properties
    for name, flag, encode, _ in _properties(klass):
        value = given.get(name)
        if value is not None:
            flags |= flag
            values.append(encode(value))
    if len(values) != sum(value is not None for value in given.values()):
        raise ValueError(f"there is an unknown property among {sorted(given)}")
    frames = [frame(table.FRAME_HEADER, channel, _HEADER.pack(klass.id, 0, len(body), flags) + b"".join(values))]
    room = most - OVERHEAD
    frames += [frame(table.FRAME_BODY, channel, body[start:start + room]) for start in range(0, len(body), room)]
    return frames


def read_header(klass: Class, payload: bytes) -> tuple[int, dict[str, Any]]:
    """The size of the body that follows, and the properties."""
    _, _, size, flags = _HEADER.unpack_from(payload)
    at, properties = _HEADER.size, {}
    for name, flag, _, decode in _properties(klass):
        if flags & flag:
            properties[name], at = decode(payload, at)
    return size, properties
