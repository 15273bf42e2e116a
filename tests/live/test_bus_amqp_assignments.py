"""Hosts that ask and tell the conductor through a real broker see what they would see in one process."""

from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred

from stackd.bus.amqp.bus import AmqpBus
from stackd.conductor.service import ConductorEndpoint
from stackd.interfaces.bus import Body
from stackd.model.assignments import InstanceAssignment
from stackd.model.ids import new_id
from stackd.model.instances import Instance, InstanceDesired
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.testing.contracts.assignments import AssignmentsContract
from stackd.workers.remote import RemoteAssignments
from tests.live.rabbitmq_fixtures import Buses, after, buses, rabbitmq, soon

__all__ = ["buses", "rabbitmq"]


class CountingEndpoint(ConductorEndpoint):
    """Counts the reports it has applied."""

    applied = 0

    async def reported(self, body: Body) -> None:
        await super().reported(body)
        self.applied += 1


class PatientBus:
    """The host's end of the bus; a report returns when it was applied, so that a test can look at once."""

    def __init__(self, bus: AmqpBus, endpoint: CountingEndpoint) -> None:
        self._bus = bus
        self._endpoint = endpoint
        self._sent = 0
        self.call = bus.call

    async def report(self, address: str, body: Body) -> None:
        self._sent += 1
        await self._bus.report(address, body)
        while self._endpoint.applied < self._sent:
            await after(0.005)


class AmqpBench:
    """Assignments in memory, asked over the broker."""

    def __init__(self, cloud: HeldAssignments, bus: PatientBus) -> None:
        self.cloud = cloud
        self.assignments = RemoteAssignments(bus)  # type: ignore[arg-type]

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        return await soon(deferred)

    async def launch(self, host: str, user_data: bytes = b"") -> str:
        id = new_id()
        self.cloud.assign(host, InstanceAssignment(instance=instance(id, host)))
        self.cloud.user_datas[id] = user_data
        return id

    async def change(self, id: str, desired: InstanceDesired) -> None:
        self.cloud.change(id, desired=desired)

    async def instance(self, id: str) -> Instance:
        return self.cloud.instance(id)


class TestAssignmentsOverAmqp(AssignmentsContract):
    """A conductor and a host, each with a connection of its own."""

    @pytest_twisted.async_yield_fixture
    async def bench(self, buses: Buses) -> Any:
        cloud = HeldAssignments()
        endpoint = CountingEndpoint(cloud, lambda: None)  # type: ignore[arg-type]
        await buses.add().serve("conductor", endpoint)
        yield AmqpBench(cloud, PatientBus(buses.add(), endpoint))
