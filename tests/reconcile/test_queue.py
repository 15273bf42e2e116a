"""The queue's promises, each on a clock."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.reconcile.queue import QueueSettings, WorkQueue
from stackd.reconcile.runner import ReconcileService


class Work:
    """Runs that end when told; remembers when each began."""

    def __init__(self, **values: Any) -> None:
        self.clock = Clock()
        self.began: list[tuple[float, str]] = []
        self.open: dict[str, list[Deferred[float | None]]] = {}
        self.most = 0
        self.answers: dict[str, list[Any]] = {}
        options = {"resync": 0.0} | values
        self.queue = WorkQueue(self.clock, self.reconcile, random.Random(7), QueueSettings(**options))
        self.queue.start()

    async def reconcile(self, key: str) -> float | None:
        self.began.append((self.clock.seconds(), key))
        if self.answers.get(key):
            answer = self.answers[key].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        deferred: Deferred[float | None] = Deferred()
        self.open.setdefault(key, []).append(deferred)
        self.most = max(self.most, sum(map(len, self.open.values())))
        return await deferred

    def end(self, key: str, result: Any = None) -> None:
        [deferred] = self.open.pop(key)
        deferred.errback(result) if isinstance(result, Exception) else deferred.callback(result)
        self.clock.advance(0)

    def keys(self) -> list[str]:
        return [key for _, key in self.began]


def test_nothing_runs_inside_add() -> None:
    work = Work()
    work.queue.add("a")
    assert work.keys() == []
    work.clock.advance(0)
    assert work.keys() == ["a"]


def test_keys_collapse() -> None:
    work = Work()
    for key in "abab":
        work.queue.add(key)
    work.clock.advance(0)
    assert work.keys() == ["a", "b"]


def test_wakes_during_a_run_make_exactly_one_more() -> None:
    work = Work()
    work.queue.add("a")
    work.clock.advance(0)
    for _ in range(3):
        work.queue.add("a")
        work.clock.advance(1)
    assert work.keys() == ["a"]
    work.end("a")
    assert work.keys() == ["a", "a"]
    work.end("a")
    work.clock.advance(100)
    assert work.keys() == ["a", "a"]


def test_the_soonest_of_all_wakes_during_a_run_counts() -> None:
    work = Work()
    work.queue.add("a")
    work.clock.advance(0)
    for delay in (7.0, 3.0, 5.0):
        work.queue.add("a", delay)
    work.end("a")
    work.clock.pump([1.0] * 4)
    assert work.began == [(0.0, "a"), (3.0, "a")]


def test_at_most_so_many_at_once_and_first_come_first_served() -> None:
    work = Work(concurrency=2)
    for key in "abcd":
        work.queue.add(key)
    work.clock.advance(0)
    assert (work.keys(), work.queue.waiting) == (["a", "b"], 2)
    work.end("b")
    assert work.keys() == ["a", "b", "c"]
    work.end("a")
    assert work.keys() == ["a", "b", "c", "d"]


def test_a_delay_and_an_earlier_wake() -> None:
    work = Work()
    work.queue.add("a", 10)
    work.queue.add("a", 5)
    work.queue.add("a", 20)
    work.clock.advance(4.9)
    assert work.began == []
    work.clock.advance(0.1)
    assert work.began == [(5.0, "a")]
    work.end("a")
    work.clock.pump([1.0] * 30)
    assert work.began == [(5.0, "a")]


def test_a_run_may_ask_to_come_again() -> None:
    work = Work()
    work.answers["a"] = [3.0, None]
    work.queue.add("a")
    work.clock.pump([0.0] + [0.5] * 40)
    assert work.began == [(0.0, "a"), (3.0, "a")]


def test_errors_back_off_growing_with_jitter_and_success_resets() -> None:
    work = Work(backoff_first=1.0, backoff_most=8.0)
    trouble = errors.TransientFailure("Busy.")
    work.answers["a"] = [trouble] * 6 + [None]
    work.queue.add("a")
    work.clock.pump([0.0] + [0.01] * 6000)
    times = [at for at, _ in work.began]
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    for gap, wanted in zip(gaps, [1, 2, 4, 8, 8, 8], strict=True):
        assert wanted * 0.5 <= gap <= wanted * 1.5 + 0.02
    assert len({round(gap / wanted, 2) for gap, wanted in zip(gaps[3:], [8, 8, 8], strict=True)}) > 1
    runs = len(work.began)
    work.answers["a"] = [trouble, None]
    work.queue.add("a")
    work.clock.pump([0.0] + [0.01] * 160)
    assert len(work.began) == runs + 2


def test_a_wake_does_not_wait_for_the_back_off() -> None:
    work = Work(backoff_first=100.0, backoff_most=100.0)
    work.answers["a"] = [errors.TransientFailure("Busy."), None]
    work.queue.add("a")
    work.clock.advance(0)
    work.queue.add("a")
    work.clock.advance(0)
    assert work.keys() == ["a", "a"]


def test_every_known_key_comes_round_and_they_spread() -> None:
    work = Work(resync=60.0, concurrency=1000)
    names = [f"k{n}" for n in range(200)]
    for name in names:
        work.answers[name] = [None] * 20
        work.queue.add(name)
    work.clock.pump([0.0] + [1.0] * 80)
    later = [at for at, _ in work.began if at > 0]
    assert {key for at, key in work.began if at > 0} == set(names)
    assert max(map(later.count, later)) < 30


def test_a_forgotten_key_does_not_come_round() -> None:
    work = Work(resync=10.0)
    for key in "ab":
        work.answers[key] = [None] * 20
        work.queue.add(key)
    work.clock.advance(0)
    work.queue.forget("a")
    assert "a" not in work.queue
    work.clock.pump([1.0] * 30)
    assert work.keys().count("a") == 1
    assert work.keys().count("b") > 1


@pytest.mark.parametrize("again", [False, True])
def test_forgetting_while_it_runs(again: bool) -> None:
    work = Work(resync=10.0)
    work.queue.add("a")
    work.clock.advance(0)
    work.queue.add("a")
    work.queue.forget("a")
    if again:
        work.queue.add("a")
    work.end("a")
    assert work.keys() == ["a"] + ["a"] * again
    assert ("a" in work.queue) is again


def test_forgetting_one_that_is_ready() -> None:
    work = Work(concurrency=1)
    for key in "ab":
        work.queue.add(key)
    work.clock.advance(0)
    work.queue.forget("b")
    work.end("a")
    assert work.keys() == ["a"]


def test_stopping_waits_for_what_runs_and_begins_nothing() -> None:
    work = Work(concurrency=1, resync=5.0)
    service = ReconcileService(work.queue)
    service.startService()
    for key in "ab":
        work.queue.add(key)
    work.queue.add("c", 1.0)
    work.clock.advance(0)
    stopped = service.stopService()
    assert not stopped.called
    work.end("a")
    assert stopped.called
    work.clock.pump([1.0] * 20)
    assert work.keys() == ["a"]
    assert work.clock.getDelayedCalls() == []


def test_what_was_added_before_the_start_runs_after_it() -> None:
    work = Work()
    queue = WorkQueue(work.clock, work.reconcile, random.Random(7), QueueSettings(resync=0.0))
    queue.add("now")
    queue.add("later", 5.0)
    work.clock.advance(2)
    assert work.keys() == []
    queue.start()
    work.clock.pump([0.0, 3.0, 0.0])
    assert work.keys() == ["now", "later"]


ACTIONS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from("abc"), st.sampled_from([0.0, 0.0, 1.0, 3.0])),
    st.tuples(st.just("end"), st.sampled_from("abc"), st.sampled_from([None, 2.0, errors.TransientFailure("x")])),
    st.tuples(st.just("advance"), st.just(""), st.sampled_from([0.0, 0.5, 2.0])),
    st.tuples(st.just("forget"), st.sampled_from("abc"), st.none()))


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_whatever_happens_no_key_runs_twice_at_once_and_every_wake_is_answered(actions: list[Any]) -> None:
    work = Work(concurrency=2)
    owed: set[str] = set()
    for what, key, value in actions:
        began = len(work.began)
        if what == "add":
            work.queue.add(key, value)
            owed.add(key)
        elif what == "forget":
            work.queue.forget(key)
            owed.discard(key)
        elif what == "end" and key in work.open:
            work.end(key, value)
        elif what == "advance":
            work.clock.advance(value)
        owed.difference_update(work.keys()[began:])
        assert work.most <= 2
        assert all(len(each) == 1 for each in work.open.values())
    for _ in range(200):
        began = len(work.began)
        for key in list(work.open):
            work.end(key)
        work.clock.advance(1.0)
        owed.difference_update(work.keys()[began:])
    assert not owed


def test_a_clock_that_was_set_back_holds_up_no_key() -> None:
    """Its timers are moved by the daemon; the keys that wait for them come soon after."""
    work = Work()
    work.answers.update({"a": [20.0], "b": [90.0]})
    for key in ("a", "b"):
        work.queue.add(key)
    work.clock.advance(5)
    work.clock.rightNow -= 3600
    for call in work.clock.getDelayedCalls():
        call.delay(-3600)
    began = len(work.began)
    work.clock.pump([1.0] * 21)
    assert work.keys()[began:] == ["a"]
    work.clock.pump([1.0] * 71)
    assert work.keys()[began:] == ["a", "b"]
