"""The contract of ``IAssignments``: the conductor's on the store and the worker's over the bus both pass it.

A bench is a cloud with two hosts, ``h1`` and ``h2``, that nothing is assigned to yet::

    class TestMine(AssignmentsContract):
        @pytest.fixture
        def bench(self): ...
"""

from typing import Any, Protocol

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.interfaces.assignments import IAssignments
from stackd.model.assignments import Assignments, FetchRequest, Hello, InstanceReport, Report, Version
from stackd.model.hosts import HostCapacity
from stackd.model.ids import new_id
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance

CAPACITY = HostCapacity(vcpus=64, memory_mib=65536, disk_gib=1000)


class AssignmentsBench(Protocol):
    """What the suite needs of a cloud."""

    assignments: IAssignments

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        """The result of the Deferred, for which the cloud is given the time it needs."""

    async def launch(self, host: str, user_data: bytes = b"") -> str:
        """Place an instance without interfaces on a host; its id."""

    async def change(self, id: str, desired: InstanceDesired) -> None:
        """A user changes what an instance should be."""

    async def instance(self, id: str) -> Instance:
        """The instance as the cloud knows it."""


def report(id: str, instance: Instance, session: int, counter: int, state: GuestState = GuestState.RUNNING,
           host: str = "h1") -> Report:
    """A compute worker's report of one instance, which reached its generation."""
    seen = ObservedInstance(state=state, generation=instance.generation, at=1.0)
    return Report(host=host, worker="compute", session=session, counter=counter, instances=(
        InstanceReport(id=id, epoch=instance.placement_epoch, observed=seen),))


class AssignmentsContract:
    """What workers rely on."""

    @pytest.fixture
    def bench(self) -> AssignmentsBench:
        """A new cloud."""
        raise NotImplementedError

    async def ask(self, bench: AssignmentsBench, coroutine: Any) -> Any:
        """The answer to one question."""
        return await bench.settled(Deferred.fromCoroutine(coroutine))

    async def hello(self, bench: AssignmentsBench, host: str = "h1") -> int:
        """A compute worker starts; its session."""
        hello = Hello(host=host, worker="compute", zone="z1", capacity=CAPACITY)
        session = await self.ask(bench, bench.assignments.hello(hello))
        assert isinstance(session, int)
        return session

    async def fetch(self, bench: AssignmentsBench, known: Version = Version(), host: str = "h1",
                    held: tuple[str, ...] | None = None) -> Assignments:
        """One page for a compute worker."""
        request = FetchRequest(host=host, worker="compute", session=1, known=known, held=held)
        answer = await self.ask(bench, bench.assignments.fetch(request))
        assert isinstance(answer, Assignments)
        return answer

    def test_provides_the_interface(self, bench: AssignmentsBench) -> None:
        """All of it."""
        verifyObject(IAssignments, bench.assignments)

    @pytest_twisted.ensureDeferred
    async def test_each_hello_raises_the_session(self, bench: AssignmentsBench) -> None:
        """So that a dead worker's late reports can be told from its successor's."""
        sessions = [await self.hello(bench) for _ in range(3)]
        assert sessions == sorted(set(sessions))
        assert min(sessions) > 0

    @pytest_twisted.ensureDeferred
    async def test_first_everything_then_nothing_new(self, bench: AssignmentsBench) -> None:
        """A version from the answer stands for all that was in it."""
        await self.hello(bench)
        id = await bench.launch("h1")
        first = await self.fetch(bench)
        assert first.full
        assert [one.instance.id for one in first.instances] == [id]
        second = await self.fetch(bench, first.version)
        assert (second.full, second.instances, second.version) == (False, (), first.version)

    @pytest_twisted.ensureDeferred
    async def test_what_was_stamped_later_comes_later(self, bench: AssignmentsBench) -> None:
        """And alone."""
        await self.hello(bench)
        old = await bench.launch("h1")
        first = await self.fetch(bench)
        new = await bench.launch("h1")
        second = await self.fetch(bench, first.version)
        assert [one.instance.id for one in second.instances] == [new]
        await bench.change(old, InstanceDesired.DELETED)
        third = await self.fetch(bench, second.version)
        assert [(one.instance.id, one.instance.desired) for one in third.instances] == [(old, InstanceDesired.DELETED)]

    @pytest_twisted.ensureDeferred
    async def test_another_incarnation_means_everything(self, bench: AssignmentsBench) -> None:
        """Whatever its number."""
        await self.hello(bench)
        id = await bench.launch("h1")
        answer = await self.fetch(bench, Version(incarnation="before the backup", number=10 ** 6))
        assert answer.full
        assert [one.instance.id for one in answer.instances] == [id]

    @pytest_twisted.ensureDeferred
    async def test_hosts_are_apart(self, bench: AssignmentsBench) -> None:
        """Nobody hears of another host's instances."""
        await self.hello(bench)
        await self.hello(bench, "h2")
        await bench.launch("h1")
        assert (await self.fetch(bench, host="h2")).instances == ()

    @pytest_twisted.ensureDeferred
    async def test_guests_that_are_held(self, bench: AssignmentsBench) -> None:
        """Another host's are MOVED with their epoch, strangers are UNKNOWN, one's own are neither."""
        await self.hello(bench)
        await self.hello(bench, "h2")
        own, moved, stranger = await bench.launch("h1"), await bench.launch("h2"), new_id()
        answer = await self.fetch(bench, held=(own, moved, stranger))
        epoch = (await bench.instance(moved)).placement_epoch
        assert (answer.moved, answer.unknown) == ({moved: epoch}, (stranger,))

    @pytest_twisted.ensureDeferred
    async def test_a_report_is_applied(self, bench: AssignmentsBench) -> None:
        """And twice is as good as once."""
        session = await self.hello(bench)
        id = await bench.launch("h1")
        for _ in range(2):
            await self.ask(bench, bench.assignments.report(report(id, await bench.instance(id), session, 1)))
        known = await bench.instance(id)
        assert (known.observed.state, known.observed.generation) == (GuestState.RUNNING, known.generation)
        assert known.launched_at is not None

    @pytest_twisted.ensureDeferred
    async def test_older_words_are_dropped(self, bench: AssignmentsBench) -> None:
        """By counter within a session, by session between two workers."""
        old = await self.hello(bench)
        new = await self.hello(bench)
        id = await bench.launch("h1")
        instance = await bench.instance(id)
        await self.ask(bench, bench.assignments.report(report(id, instance, new, 2)))
        for session, counter in ((new, 1), (old, 99)):
            late = report(id, instance, session, counter, GuestState.STOPPED)
            await self.ask(bench, bench.assignments.report(late))
        assert (await bench.instance(id)).observed.state is GuestState.RUNNING

    @pytest_twisted.ensureDeferred
    async def test_only_the_owner_is_heard(self, bench: AssignmentsBench) -> None:
        """Another host's word about an instance, or one of an earlier placement, changes nothing."""
        await self.hello(bench)
        session = await self.hello(bench, "h2")
        id = await bench.launch("h1")
        instance = await bench.instance(id)
        await self.ask(bench, bench.assignments.report(report(id, instance, session, 1, host="h2")))
        assert (await bench.instance(id)).observed.state is GuestState.UNKNOWN

    @pytest_twisted.ensureDeferred
    async def test_user_data_is_for_its_own_host_only(self, bench: AssignmentsBench) -> None:
        """Bytes are kept exactly; an instance without any has none."""
        with_it, without = await bench.launch("h1", b"#!/bin/sh\n\x00\xff"), await bench.launch("h1")
        assert await self.ask(bench, bench.assignments.user_data("h1", with_it)) == b"#!/bin/sh\n\x00\xff"
        assert await self.ask(bench, bench.assignments.user_data("h1", without)) == b""
        with pytest.raises(errors.NotFound):
            await self.ask(bench, bench.assignments.user_data("h2", with_it))
