"""Messages keep their form: kept samples are read, and all they say is said again for those who read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from stackd import errors
from stackd.bus.amqp import envelope
from stackd.bus.amqp.envelope import Call, Reply, Report, Wake
from stackd.model import assignments, wire

SAMPLES = Path(__file__).parent.parent / "samples" / "bus"

KINDS: dict[str, tuple[type, Callable[[Any], Any], type | None]] = {
    "wake": (Wake, lambda message: message.body, None),
    "report": (Report, lambda message: message.body, assignments.Report),
    "call-hello": (Call, lambda message: message.body, assignments.Hello),
    "call-fetch": (Call, lambda message: message.body, assignments.FetchRequest),
    "call-user-data": (Call, lambda message: message.body, None),
    "call-console-output": (Call, lambda message: message.body, None),
    "reply-hello": (Reply, lambda message: message.ok, None),
    "reply-fetch": (Reply, lambda message: message.ok, assignments.Assignments),
    "reply-user-data": (Reply, lambda message: message.ok, None),
    "reply-error": (Reply, lambda message: message.error, None),
}


def missing(old: Any, new: Any, where: str = "") -> list[str]:
    """What an older release would look for in vain."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [words for key in old for words in (
            missing(old[key], new[key], f"{where}.{key}") if key in new else [f"{where}.{key}"])]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [words for n, pair in enumerate(zip(old, new, strict=True)) for words in missing(*pair, f"{where}[{n}]")]
    return [] if old == new else [f"{where}: {old!r} became {new!r}"]


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_samples_of_all_releases_are_read_and_written(path: Path) -> None:
    cls, part, record = KINDS[path.name.partition(".")[0]]
    raw = path.read_bytes()
    message = envelope.load(cls, raw)
    assert missing(orjson.loads(raw), orjson.loads(envelope.dump(message))) == []
    if record is not None:
        assert missing(part(message), wire.dump(wire.load(record, part(message)))) == []


def test_there_is_a_sample_of_every_kind() -> None:
    assert {path.name.partition(".")[0] for path in SAMPLES.iterdir()} == set(KINDS)


def test_what_a_newer_release_adds_is_ignored() -> None:
    raw = orjson.dumps({"v": 1, "body": {"a": 1}, "trace": "t", "more": {"x": []}})
    assert envelope.load(Report, raw) == Report(body={"a": 1})


def test_a_foreign_version_is_refused_with_words() -> None:
    with pytest.raises(errors.NotSupported, match="version 9.*one release at a time"):
        envelope.load(Report, b'{"v": 9, "body": {}}')


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"3", b"null", b"{}", b'{"v": 1, "body": []}',
                                 b'{"v": 1, "method": "echo", "body": {}}', b'{"v": []}',
                                 b'{"v": true, "method": "echo", "deadline": 1, "body": {}}',
                                 b'{"v": 1, "method": 3, "deadline": 1, "body": {}}',
                                 b'{"v": 1, "method": null, "deadline": 1, "body": {}}',
                                 b'{"v": 1, "method": "echo", "deadline": "1", "body": {}}',
                                 b'{"v": 1, "method": "echo", "deadline": true, "body": {}}',
                                 b'{"v": 1, "method": "echo", "deadline": null, "body": {}}'])
def test_what_is_no_call_is_malformed(raw: bytes) -> None:
    with pytest.raises((errors.Malformed, errors.NotSupported)):
        envelope.load(Call, raw)


def test_errors_travel_typed() -> None:
    error = errors.InUse("network", "n1", "two ports")
    reply = envelope.load(Reply, envelope.dump_failure(error))
    assert str(wire.load_error(reply.error)) == str(error)


def test_an_answer_may_be_nothing() -> None:
    reply = envelope.load(Reply, envelope.dump(Reply(ok=None)))
    assert (reply.ok, reply.error) == (None, None)
