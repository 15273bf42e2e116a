"""Wakes on their way out collapse, wait for the broker, and are bounded."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from twisted.internet.task import Clock

from stackd import errors
from stackd.bus.amqp.settings import AmqpSettings
from stackd.bus.amqp.waking import Waking


class Wires:
    """Stands where the channel is: remembers wakes, and can be away or full."""

    def __init__(self) -> None:
        self.outlet = self
        self.sent: list[tuple[str, Any]] = []
        self.waiting: list[Callable[[Any], None]] | None = None
        self.full = False

    def send(self, key: object, publish: Callable[[Any], None]) -> None:
        if self.full:
            raise errors.Overloaded("Full.")
        if self.waiting is None:
            publish(None)
        else:
            self.waiting.append(publish)

    def wake(self, channel: Any, address: str, content: Any) -> None:
        self.sent.append((address, orjson.loads(content.body)["body"]))


@pytest.fixture
def wires() -> Wires:
    return Wires()


@pytest.fixture
def waking(wires: Wires, clock: Clock) -> Waking:
    return Waking(wires, AmqpSettings(wake_pause=0.02, most_waiting=5), clock)  # type: ignore[arg-type]


def test_equal_ones_become_one_and_never_leave_at_once(waking: Waking, wires: Wires, clock: Clock) -> None:
    for address, body in (("a", {}), ("a", {}), ("b", {}), ("a", {"n": 1}), ("a", {})):
        waking.add(address, body)
    assert not wires.sent
    clock.advance(0)
    assert wires.sent == [("a", {}), ("b", {}), ("a", {"n": 1})]


def test_a_storm_becomes_a_round_for_each_pause(waking: Waking, wires: Wires, clock: Clock) -> None:
    for _ in range(1000):
        waking.add("a", {})
        clock.advance(0.001)
    assert 45 <= len(wires.sent) <= 51
    clock.advance(0.02)
    sent = len(wires.sent)
    clock.advance(10)
    assert len(wires.sent) == sent


def test_the_last_wake_is_never_swallowed(waking: Waking, wires: Wires, clock: Clock) -> None:
    waking.add("a", {})
    clock.advance(0)
    waking.add("a", {})
    clock.advance(0.019)
    assert len(wires.sent) == 1
    clock.advance(0.001)
    assert len(wires.sent) == 2


def test_while_the_broker_is_away_they_wait_as_one_round(waking: Waking, wires: Wires, clock: Clock) -> None:
    wires.waiting = []
    for n in range(1000):
        waking.add("a", {"n": n})
        clock.advance(1)
    assert len(wires.waiting) == 1
    wires.waiting[0](None)
    assert wires.sent == [("a", {"n": n}) for n in range(5)]


def test_they_are_dropped_rather_than_raise(waking: Waking, wires: Wires, clock: Clock) -> None:
    wires.full = True
    waking.add("a", {})
    clock.advance(0)
    wires.full = False
    waking.add("b", {})
    clock.advance(1)
    assert wires.sent == [("b", {})]


def test_a_clock_that_was_set_back_holds_up_no_wake(waking: Waking, wires: Wires, clock: Clock) -> None:
    waking.add("a", {})
    clock.advance(0)
    clock.rightNow -= 3600
    waking.add("b", {})
    clock.advance(0.02)
    assert wires.sent == [("a", {}), ("b", {})]
