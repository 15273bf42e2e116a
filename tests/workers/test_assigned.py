"""A worker learns of every row once it is stamped, and says hello before anything else."""

import random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.model.assignments import Assignments, Hello, InstanceAssignment
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.workers.assigned import Assigned
from stackd.workers.settings import WorkerSettings


class Link:
    """An :class:`Assigned`, what it took, and the cloud's end."""

    def __init__(self, **values: Any) -> None:
        self.clock = Clock()
        self.cloud = HeldAssignments(**values)
        self.taken: list[Assignments] = []
        self.refusal: Exception | None = None
        self.assigned = Assigned(
            assignments=self.cloud, clock=self.clock, randomness=random.Random(1), settings=WorkerSettings(),
            hello=self.hello, held=self.held, take=self.take)

    async def hello(self) -> Hello:
        return Hello(host="h1", worker="compute")

    async def held(self) -> tuple[str, ...]:
        return ("x",)

    async def take(self, fetched: Assignments) -> None:
        if self.refusal:
            raise self.refusal
        self.taken.append(fetched)

    def assign(self, *ids: str) -> None:
        for id in ids:
            self.cloud.assign("h1", InstanceAssignment(instance=instance(id, "h1")))

    def start(self) -> None:
        self.assigned.start()
        self.clock.advance(0)


@pytest.fixture
def link() -> Link:
    return Link()


def ids(fetched: Assignments) -> list[str]:
    return [one.instance.id for one in fetched.instances]


def test_first_contact_is_a_full_fetch_that_says_what_is_held(link: Link) -> None:
    link.assign("a", "b")
    link.start()
    assert link.assigned.session == 1
    assert [(each.full, ids(each)) for each in link.taken] == [(True, ["a", "b"])]
    [request] = link.cloud.fetches
    assert (request.session, request.held) == (1, ("x",))


def test_wakes_collapse_and_fetch_only_what_is_new(link: Link) -> None:
    link.assign("a")
    link.start()
    link.assign("b")
    for _ in range(5):
        link.assigned.woken()
    link.clock.advance(0)
    assert [ids(each) for each in link.taken] == [["a"], ["b"]]
    assert [request.held for request in link.cloud.fetches] == [("x",), None]


def test_fetching_is_the_heartbeat(link: Link) -> None:
    link.start()
    link.clock.pump([1.0] * 65)
    assert len(link.cloud.fetches) == 7
    assert [request.held is not None for request in link.cloud.fetches] == [True] + [False] * 5 + [True]


def test_pages_come_as_one_fetch() -> None:
    link = Link(page=2)
    link.assign("a", "b", "c", "d", "e")
    link.start()
    assert [(each.full, ids(each)) for each in link.taken] == [(True, ["a", "b", "c", "d", "e"])]
    assert [request.held for request in link.cloud.fetches] == [("x",), None, None]


def test_a_fetch_that_breaks_between_pages_begins_anew() -> None:
    link = Link(page=2)
    link.assign("a", "b", "c")
    fetch, count = link.cloud.fetch, 0

    async def broken(request: Any) -> Assignments:
        nonlocal count
        count += 1
        if count == 2:
            raise errors.CallTimedOut("No answer.")
        return await fetch(request)

    link.cloud.fetch = broken  # type: ignore[method-assign]
    link.start()
    assert link.taken == []
    link.clock.pump([1.0] * 5)
    assert [(each.full, ids(each)) for each in link.taken] == [(True, ["a", "b", "c"])]


def test_nobody_answers_for_a_while(link: Link) -> None:
    link.cloud.failures = [errors.NoSuchTarget("Nobody.")] * 6
    link.assign("a")
    link.start()
    assert link.assigned.session == 0
    link.clock.pump([1.0] * 60)
    assert [ids(each) for each in link.taken][0] == ["a"]
    assert len(link.cloud.hellos) == 1


def test_what_could_not_be_taken_is_fetched_again(link: Link) -> None:
    link.assign("a")
    link.refusal = errors.TransientFailure("The hypervisor is away.")
    link.start()
    link.refusal = None
    link.clock.pump([1.0] * 5)
    assert [(each.full, ids(each)) for each in link.taken] == [(True, ["a"])]


def test_a_restored_cloud_is_greeted_and_fetched_anew(link: Link) -> None:
    link.assign("a")
    link.start()
    link.cloud.incarnation = "restored"
    link.cloud.sessions.clear()
    link.assigned.woken()
    link.clock.advance(0)
    assert [each.full for each in link.taken] == [True, True]
    assert len(link.cloud.hellos) == 2


def test_a_wake_during_a_fetch_makes_one_more(link: Link) -> None:
    link.start()
    gate: Deferred[None] = Deferred()
    fetch = link.cloud.fetch

    async def slow(request: Any) -> Assignments:
        answer = await fetch(request)
        await gate
        return answer

    link.cloud.fetch = slow  # type: ignore[method-assign]
    link.assigned.woken()
    link.clock.advance(0)
    link.assign("a")  # after the answer was put together
    link.assigned.woken()
    link.assigned.woken()
    gate.callback(None)
    link.clock.advance(0)
    assert [ids(each) for each in link.taken] == [[], [], ["a"]]


def test_a_wake_that_has_time_is_gathered_and_one_that_has_none_is_not(link: Link) -> None:
    link.start()
    for _ in range(5):
        link.assigned.woken(1.0)
        link.clock.advance(0.1)
    assert len(link.taken) == 1
    link.clock.advance(0.6)
    assert len(link.taken) == 2
    link.assigned.woken(1.0)
    link.assigned.woken()
    link.clock.advance(0)
    assert len(link.taken) == 3


def test_stopping_waits_for_the_fetch_under_way(link: Link) -> None:
    gate: Deferred[int] = Deferred()

    async def slow(hello: Hello) -> int:
        return await gate

    link.cloud.hello = slow  # type: ignore[method-assign]
    link.start()
    stopped = Deferred.fromCoroutine(link.assigned.stop())
    assert not stopped.called
    gate.callback(1)
    link.clock.pump([1.0] * 30)
    assert stopped.called
    assert len(link.cloud.fetches) == 1
