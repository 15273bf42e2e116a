"""Releases next to each other understand every body: kept samples are read, and what changes leaves a new sample."""

import json
from collections.abc import Iterator
from types import NoneType
from typing import Any, get_args, get_type_hints

import attrs
import orjson
import pytest

from stackd import errors
from stackd.model import wire
from tests.bus import bodies
from tests.bus.test_amqp_envelope import missing

KINDS = bodies.bodies()
HOW = "If the change is meant, run 'python -m tests.bus.bodies' and commit the sample it writes."


def sampled() -> Iterator[Any]:
    """Each body of each release that kept a sample, with its type."""
    for group, kinds in KINDS.items():
        for path in bodies.kept(group):
            for name, value in json.loads(path.read_text()).items():
                yield pytest.param(kinds.get(name), value, id=f"{path.stem} {name}")


SAMPLES = list(sampled())
RECORDS = [each for each in SAMPLES if isinstance(each.values[0], type) and attrs.has(each.values[0])]


def load(kind: Any, value: Any) -> Any:
    """As the receiver does."""
    if isinstance(kind, dict):
        return {name: wire.load(hint, value[name]) for name, hint in kind.items()
                if name in value or NoneType not in get_args(hint)}
    return wire.load(kind, value) if kind not in (None, type(None)) else None


def with_more(value: Any) -> Any:
    """As a newer release might say it: each object knows something more."""
    if isinstance(value, dict):
        return {name: with_more(each) for name, each in value.items()} | {"added_later": {"x": [1]}}
    return [with_more(each) for each in value] if isinstance(value, list) else value


def is_map(kind: Any) -> bool:
    """Whether an object of this type has keys that are no fields."""
    return "dict" in str(kind) or "Mapping" in str(kind)


def required_only(kind: Any, value: Any) -> Any:
    """As an older release might say it: all that has a default is left out, at every depth."""
    if not attrs.has(kind):
        return value
    hints = get_type_hints(kind)
    return {field.name: required_only(hints[field.name], value[field.name])
            for field in attrs.fields(kind) if field.default is attrs.NOTHING}


def equal(one: Any, other: Any) -> bool:
    """Whether the same is said, but for what was added to maps, whose keys are no fields."""
    return missing(orjson.loads(orjson.dumps(one)), orjson.loads(orjson.dumps(other))) == []


@pytest.mark.parametrize(("kind", "value"), SAMPLES)
def test_what_an_older_release_says_is_read_and_said_again(kind: Any, value: Any) -> None:
    assert kind is not None, f"releases before this one still say this. {HOW}"
    again = wire.dump(load(kind, value)) if not isinstance(kind, dict) else {
        name: wire.dump(each) for name, each in load(kind, value).items()}
    assert missing(value, orjson.loads(orjson.dumps(again))) == []


@pytest.mark.parametrize(("kind", "value"), RECORDS)
def test_what_a_newer_release_adds_is_ignored(kind: Any, value: Any) -> None:
    hints = get_type_hints(kind)
    more = {name: each if is_map(hints[name]) else with_more(each) for name, each in value.items()} | {"added": 1}
    try:
        found = wire.load(kind, more)
    except errors.Malformed:
        # Only where a map deeper inside took the added key for one of its own.
        found = wire.load(kind, value | {"added": 1})
    assert equal(value, wire.dump(found))


@pytest.mark.parametrize("kind", list(dict.fromkeys(each.values[0] for each in RECORDS)))
def test_what_an_older_release_leaves_out_has_its_default(kind: Any) -> None:
    least = required_only(kind, bodies.dumped(kind))
    found = wire.load(kind, least)
    assert equal(least, wire.dump(found))
    for field in attrs.fields(kind):
        if field.default is not attrs.NOTHING and not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            assert getattr(found, field.name) == field.default


@pytest.mark.parametrize("group", bodies.present())
def test_a_change_leaves_a_sample(group: str) -> None:
    newest = json.loads(bodies.kept(group)[-1].read_text())
    assert bodies.present()[group] == newest, HOW


def test_words_are_added_and_never_taken_away() -> None:
    """Neighbours of the older release refuse a word they do not know: say it only from the release after on."""
    present = bodies.present()["enums"]
    for path in bodies.kept("enums"):
        assert missing({name: sorted(words) for name, words in json.loads(path.read_text()).items()}, {
            name: sorted(set(words) & set(json.loads(path.read_text()).get(name, words)))
            for name, words in present.items()}) == []


def test_the_newest_sample_differs_when_a_field_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    @attrs.frozen(kw_only=True)
    class Hello(bodies.Hello):
        mood: str = ""

    monkeypatch.setitem(bodies.HOSTS, "hello", Hello)
    assert bodies.present()["hosts"] != json.loads(bodies.kept("hosts")[-1].read_text())


@pytest.mark.parametrize("name", [name for path in bodies.kept("errors") for name in json.loads(path.read_text())])
def test_errors_of_all_releases_are_known(name: str) -> None:
    assert name in wire._error_classes(), HOW


def test_errors_of_a_later_release_keep_their_words() -> None:
    found = wire.load_error({"type": "InventedLater", "message": "It is so.", "fields": {"x": 1}})
    assert type(found) is errors.Internal and "It is so." in str(found)
    known = wire.dump_error(errors.InUse("network", "n1", "two ports"))
    known["fields"]["added_later"] = 3
    assert str(wire.load_error(known)) == str(errors.InUse("network", "n1", "two ports"))
