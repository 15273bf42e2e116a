"""Everything that travels comes back the same, also between neighbours of different releases."""

import importlib
import pkgutil
from collections.abc import Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackd.model
from stackd import errors
from stackd.model import wire
from stackd.model.assignments import Assignments, FetchRequest, Version
from stackd.model.guests import Guest
from stackd.model.instances import GuestState, ObservedInstance
from stackd.model.paging import Page

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-2 ** 53, 2 ** 53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    NoneType: st.none(),
}


def records() -> list[type]:
    """Every attrs class of the model, except generic ones."""
    names = [each.name for each in pkgutil.iter_modules(stackd.model.__path__)]
    modules = [importlib.import_module(f"stackd.model.{name}") for name in names]
    return [cls for module in modules for cls in vars(module).values()
            if isinstance(cls, type) and attrs.has(cls) and cls.__module__ == module.__name__ and cls is not Page]


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotation."""
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, TypeVar):
        return TEXT
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and attrs.has(kind):
        return built(kind)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of([values(each) for each in args])
    if origin is tuple and args[-1] is not ...:
        return st.tuples(*map(values, args))
    if origin is tuple:
        return st.lists(values(args[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(args[0]), max_size=3)
    if origin in (dict, Mapping):
        return st.dictionaries(values(args[0]), values(args[1]), max_size=2)
    raise AssertionError(f"no strategy for {kind}")


def built(cls: type) -> st.SearchStrategy[Any]:
    """Any record of a class."""
    hints = get_type_hints(cls)
    return st.builds(cls, **{each.name: values(hints[each.name]) for each in attrs.fields(cls)})


def error_classes() -> list[type[errors.StackdError]]:
    """All of the tree."""
    return [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.StackdError)]


@pytest.mark.parametrize("cls", records(), ids=lambda cls: cls.__name__)
def test_every_record_survives_the_wire(cls: type) -> None:
    # Inside, because pytest-twisted wraps a parametrized property anew for each parameter.
    @settings(max_examples=15, deadline=None)
    @given(built(cls))
    def survives(record: Any) -> None:
        assert wire.load(cls, orjson.loads(orjson.dumps(wire.dump(record)))) == record

    survives()


def test_a_page_of_records_survives() -> None:
    page = Page((Guest(id="a", state=GuestState.RUNNING),), more=True)
    assert wire.load(Page[Guest], orjson.loads(orjson.dumps(wire.dump(page)))) == page


def test_enums_travel_by_value() -> None:
    assert wire.dump(ObservedInstance(state=GuestState.STOPPED))["state"] == "stopped"


def test_what_a_newer_release_added_is_ignored() -> None:
    value = wire.dump(Guest(id="a", state=GuestState.RUNNING)) | {"colour": "blue"}
    assert wire.load(Guest, value) == Guest(id="a", state=GuestState.RUNNING)


def test_what_an_older_release_left_out_takes_its_default() -> None:
    assert wire.load(Assignments, {"version": {}}) == Assignments(version=Version())


@pytest.mark.parametrize("value", [None, 5, {}, {"host": "h"}, {"host": "h", "worker": "w", "session": "many"}])
def test_nonsense_is_malformed(value: Any) -> None:
    with pytest.raises(errors.Malformed, match="FetchRequest"):
        wire.load(FetchRequest, value)


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
def test_every_error_comes_back_as_itself(cls: type[errors.StackdError]) -> None:
    wanted = {"field", "reason", "kind", "id", "name", "by", "state", "action", "resource", "message"}
    hints = get_type_hints(cls.__init__)
    arguments: dict[str, Any] = {name: 3 if hints[name] is int else f"some {name}"
                                 for name in hints if name in wanted or hints[name] is int}
    error = cls(**arguments)
    again = wire.load_error(orjson.loads(orjson.dumps(wire.dump_error(error))))
    assert type(again) is cls
    assert (str(again), again.wire()) == (str(error), error.wire())


def test_a_better_remedy_travels_too() -> None:
    again = wire.load_error(wire.dump_error(errors.NotSupported("No live migration.", remedy="Migrate it cold.")))
    assert again.remedy == "Migrate it cold."


def test_an_unregistered_error_becomes_internal_and_keeps_its_secrets() -> None:
    value = wire.dump_error(RuntimeError("password is hunter2"))
    assert type(wire.load_error(value)) is errors.Internal
    assert "hunter2" not in str(value)


def test_an_error_of_a_newer_release_becomes_internal_with_its_words() -> None:
    again = wire.load_error({"type": "Popen", "message": "The moon is full.", "fields": {"args": ["true"]}})
    assert type(again) is errors.Internal
    assert again.message == "The moon is full."


def test_fields_that_do_not_fit_become_internal() -> None:
    assert type(wire.load_error({"type": "QuotaExceeded", "message": "Full.", "fields": {}})) is errors.Internal
