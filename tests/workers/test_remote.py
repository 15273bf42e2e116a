"""Assignments over the bus are the assignments of whoever serves them."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.conductor.assignments import StoredAssignments
from stackd.conductor.service import ConductorEndpoint
from stackd.model.assignments import Hello, InstanceAssignment
from stackd.model.ids import new_id
from stackd.model.instances import Instance, InstanceDesired, LaunchRequest
from stackd.testing.cloud import MemoryCloud
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.testing.contracts.assignments import CAPACITY, AssignmentsContract
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
        Deferred.fromCoroutine(bus.serve("conductor", ConductorEndpoint(
            self.cloud, lambda: None)))  # type: ignore[arg-type]
        self.assignments = RemoteAssignments(bus)


class WholeBench:
    """The real conductor on a database, asked over the bus; hosts are heard of but have no workers."""

    def __init__(self, remote: bool) -> None:
        self.cloud = MemoryCloud(hosts=0).start()
        self.assignments: Any = RemoteAssignments(self.cloud.bus) if remote \
            else StoredAssignments(self.cloud.database, {})
        for host in ("h1", "h2"):
            self.cloud.run(self.assignments.hello(Hello(host=host, worker="compute", zone="z1", capacity=CAPACITY)))
            self.cloud.run(self.assignments.hello(Hello(host=host, worker="network", zone="z1")))

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        for _ in range(100):
            if not deferred.called:
                self.cloud.advance(0.05)
        assert deferred.called
        return await deferred

    async def launch(self, host: str, user_data: bytes = b"") -> str:
        request = LaunchRequest(image_id=self.cloud.image.id, flavor_id="t2.nano", host=host, networks=(),
                                user_data=user_data or None)
        made = self.cloud.run(self.cloud.core.instances.launch(self.cloud.admin, request))
        id = made.instances[0].instance.id
        self.cloud.until(lambda: self.cloud.row(id).host == host)
        return id

    async def change(self, id: str, desired: InstanceDesired) -> None:
        actions = self.cloud.core.instances
        action = actions.terminate if desired is InstanceDesired.DELETED else actions.stop
        self.cloud.run(action(self.cloud.admin, [id]))

    async def instance(self, id: str) -> Instance:
        return self.cloud.row(id)


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


class TestStoredAssignments(AssignmentsContract):
    """The conductor's own, on a database."""

    @pytest.fixture
    def bench(self) -> WholeBench:
        return WholeBench(remote=False)


class TestRemoteStoredAssignments(AssignmentsContract):
    """What a host really talks to: the conductor over the bus."""

    @pytest.fixture
    def bench(self) -> WholeBench:
        return WholeBench(remote=True)


@pytest_twisted.ensureDeferred
async def test_no_conductor_is_an_error_that_passes() -> None:
    clock = Clock()
    asked = Deferred.fromCoroutine(RemoteAssignments(MemoryBus(clock)).hello(Hello(host="h1", worker="compute")))
    clock.advance(0)
    with pytest.raises(errors.Unavailable):
        await asked
