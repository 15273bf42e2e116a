"""Assignments over the bus are the assignments of whoever serves them."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.conductor.service import ConductorEndpoint
from stackd.model.assignments import Hello, InstanceAssignment
from stackd.model.ids import new_id
from stackd.model.instances import Instance, InstanceDesired
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.testing.contracts.assignments import AssignmentsContract
from stackd.workers.remote import RemoteAssignments


class Bench:
    """Assignments in memory, asked directly."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cloud = HeldAssignments()
        self.assignments: Any = self.cloud

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        self.clock.advance(1)
        assert deferred.called
        return await deferred

    async def launch(self, host: str, user_data: bytes = b"") -> str:
        id = new_id()
        self.cloud.assign(host, InstanceAssignment(instance=instance(id, host)))
        self.cloud.user_datas[id] = user_data
        return id

    async def change(self, id: str, desired: InstanceDesired) -> None:
        self.cloud.change(id, desired=desired)

    async def instance(self, id: str) -> Instance:
        return self.cloud.instance(id)


class RemoteBench(Bench):
    """The same over a bus, served as the conductor serves it."""

    def __init__(self) -> None:
        super().__init__()
        bus = MemoryBus(self.clock)
        Deferred.fromCoroutine(bus.serve("conductor", ConductorEndpoint(self.cloud)))  # type: ignore[arg-type]
        self.assignments = RemoteAssignments(bus)


class TestHeldAssignments(AssignmentsContract):
    """The double that tests of workers use."""

    @pytest.fixture
    def bench(self) -> Bench:
        return Bench()


class TestRemoteAssignments(AssignmentsContract):
    """Over the bus."""

    @pytest.fixture
    def bench(self) -> Bench:
        return RemoteBench()


@pytest_twisted.ensureDeferred
async def test_no_conductor_is_an_error_that_passes() -> None:
    clock = Clock()
    asked = Deferred.fromCoroutine(RemoteAssignments(MemoryBus(clock)).hello(Hello(host="h1", worker="compute")))
    clock.advance(0)
    with pytest.raises(errors.Unavailable):
        await asked
