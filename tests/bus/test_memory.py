"""The bus in memory keeps the contract, and goes wrong exactly as it is told."""

import random
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.bus.disturbance import ON_TIME, Passage, RandomDisturbance
from stackd.bus.memory import MemoryBus, MemoryBusSettings
from stackd.testing.contracts.bus import BusContract, ListeningEndpoint


class Fates:
    """Tells one fate for each message of a passage; all others arrive."""

    def __init__(self, passage: Passage, *fates: tuple[float, ...]) -> None:
        self._passage = passage
        self._fates = list(fates)

    def copies(self, passage: Passage, address: str) -> tuple[float, ...]:
        return self._fates.pop(0) if passage is self._passage and self._fates else ON_TIME


class Stubborn(ListeningEndpoint):
    """Can never apply a report."""

    tries = 0

    async def reported(self, body: dict[str, Any]) -> None:
        self.tries += 1
        raise ValueError("poison")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def started(coroutine: Any) -> "Deferred[Any]":
    return Deferred.fromCoroutine(coroutine)


def result(clock: Clock, coroutine: Any, seconds: float = 0.0) -> Any:
    """What the coroutine gives within so many seconds."""
    found: list[Any] = []
    started(coroutine).addBoth(found.append)
    clock.advance(seconds)
    assert found, "it did not end"
    if hasattr(found[0], "raiseException"):
        found[0].raiseException()
    return found[0]


class TestMemoryBus(BusContract):
    """On a clock."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def bus(self, clock: Clock) -> MemoryBus:
        self.clock = clock
        return MemoryBus(clock)

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        for _ in range(100):
            if deferred.called:
                break
            self.clock.advance(0.1)
        assert deferred.called, "it takes too long"
        return await deferred

    @pytest_twisted.ensureDeferred
    async def test_defects_come_back_as_internal(self, bus: MemoryBus, lost_failures: list[Any]) -> None:
        await super().test_defects_come_back_as_internal(bus)
        assert [event["log_failure"].type for event in lost_failures] == [ZeroDivisionError]
        lost_failures.clear()


def test_equal_wakes_in_the_queue_become_one(clock: Clock) -> None:
    bus, endpoint = MemoryBus(clock), ListeningEndpoint()
    result(clock, bus.serve("scheduler", endpoint))
    for body in ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 1}):
        bus.wake("scheduler", body)
    clock.advance(0)
    assert endpoint.wakes.pending == [{"a": 1}, {"a": 2}]
    bus.wake("scheduler", {"a": 1})
    clock.advance(0)
    assert len(endpoint.wakes.pending) == 3


def test_a_wake_that_fails_does_not_stop_the_others(clock: Clock, lost_failures: list[Any]) -> None:
    bus, endpoint = MemoryBus(clock), ListeningEndpoint()
    result(clock, bus.serve("scheduler", endpoint))
    endpoint.woken = lambda body: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    bus.wake("scheduler", {})
    assert result(clock, bus.call("scheduler", "echo", {"a": 1})) == {"a": 1}
    assert [event["log_failure"].type for event in lost_failures] == [ZeroDivisionError]
    lost_failures.clear()


def test_a_report_is_taken_on_a_later_turn(clock: Clock) -> None:
    bus = MemoryBus(clock)
    sent = started(bus.report("conductor", {}))
    assert not sent.called
    clock.advance(0)
    assert sent.called


def test_too_many_reports_to_nobody_are_refused(clock: Clock) -> None:
    bus = MemoryBus(clock, settings=MemoryBusSettings(kept_reports=2))
    for _ in range(2):
        result(clock, bus.report("conductor", {}))
    with pytest.raises(errors.Overloaded, match="conductor"):
        result(clock, bus.report("conductor", {}))


def test_poison_is_set_aside_after_some_tries_and_is_logged(clock: Clock, lost_failures: list[Any]) -> None:
    bus, endpoint = MemoryBus(clock, settings=MemoryBusSettings(tries=3)), Stubborn()
    result(clock, bus.serve("conductor", endpoint))
    result(clock, bus.report("conductor", {"n": 1}))
    clock.pump([1.0] * 60)
    assert endpoint.tries == 3
    assert list(bus.set_aside) == [("conductor", {"n": 1})]
    assert [event["address"] for event in lost_failures] == ["conductor"]
    lost_failures.clear()


def test_an_unavailable_database_sets_nothing_aside(clock: Clock) -> None:
    bus, endpoint = MemoryBus(clock, settings=MemoryBusSettings(tries=3)), ListeningEndpoint(refuse=30)
    result(clock, bus.serve("conductor", endpoint))
    result(clock, bus.report("conductor", {"n": 1}))
    clock.pump([1.0] * 600)
    assert endpoint.reports.pending == [{"n": 1}]
    assert not bus.set_aside


def test_redelivery_leaves_time_between(clock: Clock) -> None:
    bus, endpoint = MemoryBus(clock), ListeningEndpoint(refuse=5)
    result(clock, bus.serve("conductor", endpoint))
    result(clock, bus.report("conductor", {"n": 1}))
    clock.advance(0.05)
    assert endpoint.refuse == 4


def test_what_a_dead_daemon_had_not_finished_goes_to_another(clock: Clock) -> None:
    hung: Deferred[None] = Deferred()

    class Hanging(ListeningEndpoint):
        async def reported(self, body: dict[str, Any]) -> None:
            await hung

    bus, other = MemoryBus(clock), ListeningEndpoint()
    subscription = result(clock, bus.serve("conductor", Hanging()))
    result(clock, bus.report("conductor", {"n": 1}))
    call = started(bus.call("conductor", "silence", {}, timeout=5.0))
    clock.advance(0)
    subscription.crash()
    result(clock, bus.serve("conductor", other))
    clock.advance(1)
    hung.errback(errors.DatabaseUnavailable("What a dead daemon says is not heard."))
    clock.advance(1)
    assert other.reports.pending == [{"n": 1}]
    clock.advance(5)
    call.addErrback(lambda failure: failure.trap(errors.CallTimedOut))
    assert call.called


def test_a_broker_restart_fails_what_is_under_way_and_serving_goes_on(clock: Clock) -> None:
    bus, endpoint, outcomes = MemoryBus(clock), ListeningEndpoint(), []
    result(clock, bus.serve("conductor", endpoint))
    for sending in (bus.report("conductor", {}), bus.call("conductor", "silence", {})):
        started(sending).addErrback(lambda failure: outcomes.append(failure.type))
    bus.wake("conductor", {})
    bus.restart()
    clock.advance(0)
    assert outcomes == [errors.OutcomeUnknown, errors.OutcomeUnknown]
    assert not endpoint.wakes.pending
    assert result(clock, bus.call("conductor", "echo", {"a": 1})) == {"a": 1}


@pytest.mark.parametrize(("passage", "error"), [
    (Passage.REPORT, errors.OutcomeUnknown), (Passage.CALL, errors.CallTimedOut), (Passage.REPLY, errors.CallTimedOut)])
def test_a_lost_message_is_an_error_of_its_sender(clock: Clock, passage: Passage, error: type[Exception]) -> None:
    bus, endpoint = MemoryBus(clock, Fates(passage, ())), ListeningEndpoint()
    result(clock, bus.serve("conductor", endpoint))
    sending = bus.report("conductor", {}) if passage is Passage.REPORT else bus.call("conductor", "echo", {})
    with pytest.raises(error):
        result(clock, sending, 30.0)
    assert not endpoint.reports.pending


def test_a_lost_wake_does_not_swallow_the_next(clock: Clock) -> None:
    bus, endpoint = MemoryBus(clock, Fates(Passage.WAKE, (), (3.0,))), ListeningEndpoint()
    result(clock, bus.serve("scheduler", endpoint))
    for _ in range(3):
        bus.wake("scheduler", {})
    clock.advance(0)
    assert len(endpoint.wakes.pending) == 1
    clock.advance(3)
    assert len(endpoint.wakes.pending) == 2


def test_doubled_and_late_reports(clock: Clock) -> None:
    bus, endpoint = MemoryBus(clock, Fates(Passage.REPORT, (0.0, 2.0), (1.0,))), ListeningEndpoint()
    result(clock, bus.serve("conductor", endpoint))
    result(clock, bus.report("conductor", {"n": 1}))
    started(bus.report("conductor", {"n": 2}))
    result(clock, bus.report("conductor", {"n": 3}))
    clock.pump([1.0, 1.0])
    assert [body["n"] for body in endpoint.reports.pending] == [1, 3, 2, 1]


def test_random_disturbance_does_all_three_at_the_wanted_rates() -> None:
    disturbance = RandomDisturbance(random=random.Random(1), lose=0.1, double=0.2, late=0.3,
                                    passages=frozenset({Passage.WAKE}))
    fates = [disturbance.copies(Passage.WAKE, "a") for _ in range(2000)]
    assert 150 < fates.count(()) < 250
    assert 340 < sum(len(fate) == 2 for fate in fates) < 460
    assert 500 < sum(len(fate) == 1 and fate[0] > 0 for fate in fates) < 700
    assert disturbance.copies(Passage.CALL, "a") == ON_TIME


def test_a_daemon_may_call_from_within_its_own_answer(clock: Clock) -> None:
    bus, endpoint = MemoryBus(clock), ListeningEndpoint()

    async def twice(body: dict[str, Any]) -> Any:
        return [await bus.call("conductor", "echo", body), body]

    endpoint.calls["twice"] = twice
    result(clock, bus.serve("conductor", endpoint))
    assert result(clock, bus.call("conductor", "twice", {"a": 1})) == [{"a": 1}, {"a": 1}]
