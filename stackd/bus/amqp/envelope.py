"""Messages as they travel: JSON with a version, and the AMQP properties around it.

``v`` is the version of the envelope. Keys that a newer release adds are ignored and keys an older one lacks take their
defaults, so ``v`` is raised only when neither can help; then release N reads v and v+1 and writes v, and release N+1
writes v+1. Samples of every kind are kept in ``tests/samples/bus``.
"""

from typing import Any

import orjson
from attrs import field, fields, frozen
from txamqp.content import Content

from stackd import errors
from stackd.interfaces.bus import Body
from stackd.model import wire

VERSION = 1
READS = frozenset({1})
JSON = "application/json"


@frozen(kw_only=True)
class Wake:
    """Look again."""

    v: int = VERSION
    body: Body = field(factory=dict)


@frozen(kw_only=True)
class Report:
    """What was observed."""

    v: int = VERSION
    body: Body = field(factory=dict)


@frozen(kw_only=True)
class Call:
    """A question; nobody waits for the answer after ``deadline``, in epoch seconds of the caller's clock."""

    v: int = VERSION
    method: str
    deadline: float
    body: Body = field(factory=dict)


@frozen(kw_only=True)
class Reply:
    """The answer, or a typed error as ``model.wire`` writes it."""

    v: int = VERSION
    ok: Any = None
    error: dict[str, Any] | None = None


Message = Wake | Report | Call | Reply
_KINDS: dict[type, str] = {Wake: "wake", Report: "report", Call: "call", Reply: "reply"}
_FIELDS = {cls: tuple(each.name for each in fields(cls)) for cls in _KINDS}

_PLAIN: dict[str, tuple[type, ...]] = {"body": (dict,), "method": (str,), "deadline": (int, float)}
"""Of which types these are; a truth value passes for a number."""
_TYPED = {cls: tuple((name, _PLAIN[name]) for name in names if name in _PLAIN) for cls, names in _FIELDS.items()}


def dump(message: Message) -> bytes:
    """The bytes of a message."""
    given = {name: getattr(message, name) for name in _FIELDS[type(message)]}
    if given.get("error", True) is None:
        del given["error"]
    return orjson.dumps(given)


def load(cls: type[Any], raw: bytes) -> Any:
    """The message of this class; raises ``Malformed`` for what is none and ``NotSupported`` for a foreign version."""
    if not raw:
        raise errors.Malformed(f"A {_KINDS[cls]} came without a body: it was longer than the bus carries.")
    try:
        found = orjson.loads(raw)
        version = found["v"]
    except (ValueError, KeyError, TypeError) as error:
        raise errors.Malformed(f"This is no {_KINDS[cls]} of the bus: {error!r}.") from error
    if not isinstance(version, int) or isinstance(version, bool) or version not in READS:
        raise errors.NotSupported(f"A {_KINDS[cls]} of version {str(version)[:80]} came over the bus; this release "
                                  f"reads {', '.join(map(str, sorted(READS)))}.",
                                  remedy="Upgrade one release at a time.")
    try:
        made = cls(**{name: found[name] for name in _FIELDS[cls] if name in found})
    except TypeError as error:
        raise errors.Malformed(f"This is no {_KINDS[cls]} of the bus: {error}.") from error
    for name, kinds in _TYPED[cls]:
        value = getattr(made, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise errors.Malformed(f"The {name} of a {_KINDS[cls]} is a {type(value).__name__}.")
    return made


def dump_failure(error: BaseException) -> bytes:
    """The bytes of a reply with this error."""
    return dump(Reply(error=wire.dump_error(error)))


def content(message: Message | bytes, kind: str, largest: int, **properties: Any) -> Content:
    """The message as txamqp publishes it; raises ``PayloadTooLarge`` above ``largest`` bytes.

    ``properties`` are AMQP's, with underscores.
    """
    raw = message if isinstance(message, bytes) else dump(message)
    if len(raw) > largest:
        raise errors.PayloadTooLarge(f"A {kind} of {len(raw)} bytes is more than the bus carries ({largest}).",
                                     remedy="Ask for less at once.")
    given = {name.replace("_", "-"): value for name, value in properties.items()}
    return Content(raw, properties={"content-type": JSON, "type": kind, **given})
