"""Filters and page tokens, apart from any action."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from stackd import errors
from stackd.api.ec2 import filters, paging
from stackd.api.ec2.calls import Call
from stackd.testing.projects import caller

VIEWS = [
    {"Id": "a", "State": {"Name": "up", "Code": 16}, "Flag": True, "Tags": [{"Key": "k", "Value": "one two"}]},
    {"Id": "b", "State": {"Name": "down", "Code": 80}, "Flag": False, "Tags": [], "Inner": [{"Ids": ["x", "y"]}]},
    {"Id": "a*", "State": None},
]
PATHS = {"id": "Id", "state": "State.Name", "code": "State.Code", "flag": "Flag", "inner": "Inner.Ids"}


def kept(**wanted):
    """Ids of the views that pass."""
    asked = [{"Name": name.replace("__", ":").replace("_", "-"), "Values": values} for name, values in wanted.items()]
    return [view["Id"] for view in filters.keep(asked, VIEWS, PATHS)]


@pytest.mark.parametrize("wanted, ids", [
    ({}, ["a", "b", "a*"]), ({"state": ["up"]}, ["a"]), ({"state": ["up", "down"]}, ["a", "b"]),
    ({"state": ["up"], "code": ["80"]}, []), ({"flag": ["true"]}, ["a"]), ({"inner": ["y"]}, ["b"]),
    ({"state": ["UP"]}, []), ({"state": ["*"]}, ["a", "b"]), ({"id": ["a*"]}, ["a", "a*"]), ({"id": ["a\\*"]}, ["a*"]),
    ({"id": ["?"]}, ["a", "b"]), ({"tag__k": ["one*"]}, ["a"]), ({"tag__K": ["one*"]}, []), ({"tag_key": ["k"]}, ["a"]),
    ({"tag_value": ["one two"]}, ["a"]), ({"id": [""]}, []), ({"id": ["a.b", "[ab]", "a|b", "(b)"]}, []),
])
def test_what_is_kept(wanted, ids):
    """Nothing in a value but * ? and the backslash is special."""
    assert kept(**wanted) == ids


@pytest.mark.parametrize("entry, error", [({"Name": "colour", "Values": ["x"]}, errors.InvalidValue),
                                          ({"Name": "tagged", "Values": ["x"]}, errors.InvalidValue),
                                          ({"Name": "id", "Values": []}, errors.InvalidValue),
                                          ({"Name": "id"}, errors.InvalidValue),
                                          ({"Values": ["x"]}, errors.MissingValue)])
def test_filters_that_cannot_be(entry, error):
    """Refused, never ignored."""
    with pytest.raises(error):
        filters.keep([entry], VIEWS, PATHS)


@given(st.text(max_size=12))
def test_an_escaped_text_matches_itself_alone(text):
    """Whatever it holds."""
    escaped = "".join(f"\\{letter}" if letter in "*?\\" else letter for letter in text)
    assert filters.pattern(escaped).fullmatch(text)
    assert not filters.pattern(escaped).fullmatch(text + "x")


def test_many_stars_do_not_take_forever():
    """A hostile pattern is matched at once."""
    assert not filters.pattern("*" * 200 + "b").fullmatch("a" * 5000)


ME = caller("1" * 32)


def call(action="DescribeVpcs", who=ME, **parameters):
    """A call with parameters and nothing else."""
    return Call(action=action, caller=who, parameters=parameters, core=None, region="us-east-1", endpoint="", now=0.0)


@given(st.integers(0, 40), st.integers(5, 12))
def test_pages_hold_everything_once(count, size):
    """In the order of the key, whatever order the list came in."""
    items = [f"{n:03}" for n in reversed(range(count))]
    seen, token = [], None
    while True:
        more = {"NextToken": token} if token else {}
        page, token = paging.page(call(MaxResults=size, **more), items, str)
        seen += page
        if token is None:
            break
        assert len(page) == size
    assert seen == sorted(items)


def test_tokens_belong_to_an_action_and_a_project():
    """One taken elsewhere is not valid."""
    _, token = paging.page(call(MaxResults=5), [str(n) for n in range(9)], str)
    assert paging.marker(call(NextToken=token)) == "4"
    for other in (call("DescribeTags", NextToken=token), call(who=evolve(ME, project_id="2" * 32), NextToken=token),
                  call(NextToken=token[1:]), call(NextToken="x"), call(NextToken="é"), call(NextToken="====")):
        with pytest.raises(errors.InvalidMarker):
            paging.marker(other)


@pytest.mark.parametrize(("text", "value", "fits"), [
    ("a*b", "axxb", True), ("a*b", "axxbc", False), ("*", "", True), ("**a**", "bab", True),
    ("*.txt", "a.txt.txt", True),
    ("*ab", "aab", True), ("*a?*", "xab", True), ("\\*", "*", True), ("\\*", "x", False), ("*a*b*c", "xaxbxc", True),
    ("*a" * 100 + "b", "a" * 255, False)])
def test_patterns_match_and_never_hang(text: str, value: str, fits: bool) -> None:
    """The last one would take a plain regular expression longer than the world lasts."""
    assert bool(filters.pattern(text).fullmatch(value)) is fits
