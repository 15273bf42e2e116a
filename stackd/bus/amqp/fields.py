"""Values on the wire: the field types of methods and properties, and tables with every type RabbitMQ sends.

``wire.py`` compiles the encoders and decoders of each method out of these once. An encoder gives bytes; a decoder
takes the bytes and a position and gives the value and the position after it.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes, int], tuple[Any, int]]

_LENGTH = struct.Struct(">I")
_SHORTEST = 255


def write_shortstr(value: str | bytes) -> bytes:
    """At most 255 bytes; raises ``ValueError`` above."""
    raw = value.encode() if isinstance(value, str) else value
    if len(raw) > _SHORTEST:
        raise ValueError(f"{raw[:40]!r}... is longer than {_SHORTEST} bytes")
    return bytes((len(raw),)) + raw


def read_shortstr(raw: bytes, at: int) -> tuple[str, int]:
    """Text; bytes that are none are kept as surrogates."""
    end = at + 1 + raw[at]
    return raw[at + 1:end].decode("utf-8", "surrogateescape"), end


def write_longstr(value: str | bytes) -> bytes:
    """Text or bytes, counted after encoding."""
    raw = value.encode() if isinstance(value, str) else value
    return _LENGTH.pack(len(raw)) + raw


def read_bytes(raw: bytes, at: int) -> tuple[bytes, int]:
    """A counted run of bytes."""
    end = at + 4 + _LENGTH.unpack_from(raw, at)[0]
    return raw[at + 4:end], end


def read_longstr(raw: bytes, at: int) -> tuple[str | bytes, int]:
    """Text where it is UTF-8, otherwise the bytes."""
    value, end = read_bytes(raw, at)
    try:
        return value.decode(), end
    except UnicodeDecodeError:
        return value, end


def write_table(table: dict[str, Any]) -> bytes:
    """A field table."""
    raw = b"".join([write_shortstr(name) + write_value(value) for name, value in table.items()])
    return _LENGTH.pack(len(raw)) + raw


def read_table(raw: bytes, at: int) -> tuple[dict[str, Any], int]:
    """A field table."""
    end = at + 4 + _LENGTH.unpack_from(raw, at)[0]
    at += 4
    table = {}
    while at < end:
        name, at = read_shortstr(raw, at)
        table[name], at = read_value(raw, at)
    return table, end


def _write_array(values: list[Any] | tuple[Any, ...]) -> bytes:
    raw = b"".join(map(write_value, values))
    return _LENGTH.pack(len(raw)) + raw


def _read_array(raw: bytes, at: int) -> tuple[list[Any], int]:
    end = at + 4 + _LENGTH.unpack_from(raw, at)[0]
    at += 4
    values = []
    while at < end:
        value, at = read_value(raw, at)
        values.append(value)
    return values, end


def _write_decimal(value: Decimal) -> bytes:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent > 0:
        raise ValueError(f"{value} cannot be sent")
    return struct.pack(">Bi", -exponent, int(value.scaleb(-exponent)))


def _read_decimal(raw: bytes, at: int) -> tuple[Decimal, int]:
    places, number = struct.unpack_from(">Bi", raw, at)
    return Decimal(number).scaleb(-places), at + 5


def _read_time(raw: bytes, at: int) -> tuple[datetime, int]:
    return datetime.fromtimestamp(struct.unpack_from(">Q", raw, at)[0], UTC), at + 8


def _packed(form: str) -> tuple[Encoder, Decoder]:
    packing = struct.Struct(form)
    return packing.pack, lambda raw, at: (packing.unpack_from(raw, at)[0], at + packing.size)


def _write_number(value: int) -> bytes:
    if -2**31 <= value < 2**31:
        return b"I" + struct.pack(">i", value)
    if -2**63 <= value < 2**63:
        return b"l" + struct.pack(">q", value)
    raise ValueError(f"{value} needs more than 64 bits")


_WRITERS: tuple[tuple[type | tuple[type, ...], Encoder], ...] = (  # bool before int: it is one
    (str, lambda value: b"S" + write_longstr(value)),
    (bool, lambda value: b"t\x01" if value else b"t\x00"),
    (int, _write_number),
    (float, lambda value: b"d" + struct.pack(">d", value)),
    (type(None), lambda value: b"V"),
    (bytes, lambda value: b"x" + write_longstr(value)),
    (dict, lambda value: b"F" + write_table(value)),
    ((list, tuple), lambda value: b"A" + _write_array(value)),
    (datetime, lambda value: b"T" + struct.pack(">Q", int(value.timestamp()))),
    (Decimal, lambda value: b"D" + _write_decimal(value)),
)

_READERS: dict[int, Decoder] = {
    ord("S"): read_longstr,
    ord("t"): lambda raw, at: (raw[at] != 0, at + 1),
    ord("V"): lambda raw, at: (None, at),
    ord("x"): read_bytes,
    ord("F"): read_table,
    ord("A"): _read_array,
    ord("T"): _read_time,
    ord("D"): _read_decimal,
    **{ord(letter): _packed(form)[1] for letter, form in (
        ("b", ">b"), ("B", ">B"), ("s", ">h"), ("u", ">H"), ("I", ">i"), ("i", ">I"), ("l", ">q"), ("L", ">q"),
        ("f", ">f"), ("d", ">d"))},
}


def write_value(value: Any) -> bytes:
    """One value of a table, its type letter first; raises ``ValueError`` for what has none."""
    for types, write in _WRITERS:
        if isinstance(value, types):
            return write(value)
    raise ValueError(f"{type(value).__name__} cannot stand in a table")


def read_value(raw: bytes, at: int) -> tuple[Any, int]:
    """One value of a table; raises ``ValueError`` for an unknown type letter."""
    read = _READERS.get(raw[at])
    if read is None:
        raise ValueError(f"unknown field type {raw[at:at + 1]!r}")
    return read(raw, at + 1)


TYPES: dict[str, tuple[Encoder, Decoder]] = {
    "octet": _packed(">B"), "short": _packed(">H"), "long": _packed(">I"), "longlong": _packed(">Q"),
    "timestamp": _packed(">Q"), "shortstr": (write_shortstr, read_shortstr), "longstr": (write_longstr, read_longstr),
    "table": (write_table, read_table)}
"""What fields of methods and properties are; bits are packed by whoever writes the method."""
