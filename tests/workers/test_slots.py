"""Slots are never more than there are, never lost, and go to those who wait in the order they came."""

from hypothesis import given
from hypothesis import strategies as st

from stackd.workers.slots import Slots


def test_who_waits_is_woken_in_order_and_newcomers_do_not_overtake() -> None:
    woken: list[str] = []
    slots = Slots(1, woken.append)
    assert slots.take("a")
    assert not slots.take("b")
    assert not slots.take("c")
    slots.give_back()
    assert woken == ["b"]
    assert not slots.take("d")
    assert slots.take("b")
    slots.give_back()
    assert woken == ["b", "c"]


def test_a_slot_nobody_wants_goes_on() -> None:
    woken: list[str] = []
    slots = Slots(1, woken.append)
    slots.take("a")
    for key in "bc":
        slots.take(key)
    slots.give_back()
    slots.forgo("b")
    assert woken == ["b", "c"]
    slots.forgo("c")
    assert slots.take("d")


@given(st.lists(st.tuples(st.sampled_from(["take", "back", "forgo"]), st.sampled_from("abcde"))), st.integers(1, 3))
def test_none_is_lost_and_none_is_made(actions: list[tuple[str, str]], most: int) -> None:
    slots, building = Slots(most, lambda key: None), set[str]()
    for action, key in actions:
        if action == "take" and key not in building and slots.take(key):
            building.add(key)
        elif action == "back" and key in building:
            building.discard(key)
            slots.give_back()
        elif action == "forgo":
            slots.forgo(key)
        assert len(building) <= most
    for _ in building:
        slots.give_back()
    for key in "abcde":
        slots.forgo(key)
    assert [slots.take(f"new{n}") for n in range(most + 1)] == [True] * most + [False]
