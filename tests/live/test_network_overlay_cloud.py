"""The cloud's own words wire networks across hosts: a database, a conductor and a network worker for each real host."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from stackd.bus.memory import MemoryBus
from stackd.conductor.assignments import StoredAssignments
from stackd.conductor.service import ConductorService
from stackd.model.ids import new_id
from stackd.model.networks import Port
from stackd.model.wirings import PortWiring
from stackd.store import networks, ports, wirings
from stackd.testing.databases import memory_database
from stackd.testing.projects import Cloud
from stackd.workers.network import NetworkWorker
from stackd.workers.remote import RemoteAssignments
from tests.live.overlay_bench import OverlayBench, OverlayHost, fabricated
from tests.live.plugging import Guest, pings

PATIENCE = 200
"""Tenths of a second."""

bench = pytest.fixture(fabricated)


class WiredCloud:
    """Projects and ports in a database, and all that brings them to the hosts of a fabric."""

    def __init__(self, hosts: list[OverlayHost]) -> None:
        self.bus = MemoryBus(reactor)
        self.database = memory_database(reactor, self.bus.wake)
        self.rows = Cloud()
        self.rows.database = self.database
        self.conductor = ConductorService(self.database, self.bus, StoredAssignments(self.database, {}), reactor)
        self.workers = {host.name: self._worker(host) for host in hosts}
        self.conductor.startService()

    def _worker(self, host: OverlayHost) -> NetworkWorker:
        return NetworkWorker(driver=host.driver(), tunnel_address=host.tunnel, host=host.name, zone="z",
                             assignments=RemoteAssignments(self.bus), bus=self.bus, clock=reactor,
                             randomness=random.Random(1))

    async def start(self, host: OverlayHost) -> None:
        """Let a host's worker begin, and wait until the cloud knows it."""
        worker = self.workers[host.name]
        worker.startService()
        await until(lambda: worker.assigned.session > 0)

    def placed(self, project: Any, host: OverlayHost) -> Port:
        """A port of an instance on a host."""
        [port] = self.rows.write(ports.create, [ports.PortAsk(
            project_id=project.id, network_id=self.rows.default_network(project).id, device_id=new_id(),
            group_ids=(self.rows.default_group(project).id,),
            zone="us-east-1a" if host.host.number == 1 else "us-east-1b")])
        self.rows.write(ports.place, {port.device_id: host.name})
        return port

    async def plugged(self, port: Port, host: OverlayHost) -> Guest:
        """The guest of a port, once the port is wired, with its lease."""
        await until(lambda: self.rows.read(ports.get, port.id).observed_generation > 1)
        told = self.rows.read(wirings.port_assignments, host.name, [port.id])[0]
        assert isinstance(told.wiring, PortWiring) and told.network is not None
        guest = host.guest(told.wiring, told.network.bridge)
        assert (await deferToThread(guest.dhcp))["ip"] == port.fixed_ips[0].address
        return guest

    async def stop(self) -> None:
        """End every daemon; what is wired stays."""
        for worker in self.workers.values():
            if worker.running:
                await worker.stopService()
        await self.conductor.stopService()


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition, not for ever."""
    for _ in range(PATIENCE):
        if condition():
            return
        await deferLater(reactor, 0.1)
    raise AssertionError("still not so")


async def until_pings(guest: Guest, port: Port, expected: bool = True) -> None:
    """Wait until an echo request is answered, or is not any more."""
    for _ in range(20):
        if await deferToThread(pings, guest.name, port.fixed_ips[0].address) is expected:
            return
        await deferLater(reactor, 0.1)
    raise AssertionError(f"pings {port.fixed_ips[0].address}: not {expected}")


@pytest_twisted.ensureDeferred
async def test_the_cloud_joins_hosts_and_parts_them(bench: OverlayBench) -> None:
    """Guests of a project meet across hosts and zones; a late host joins, a worker restarts, the last port leaves."""
    one, two, three = bench.hosts
    cloud = WiredCloud(bench.hosts)
    try:
        project, other = cloud.rows.project(), cloud.rows.project("other")
        await cloud.start(one)
        await cloud.start(two)
        first, second, foreign = cloud.placed(project, one), cloud.placed(project, two), cloud.placed(other, two)
        guests = [await cloud.plugged(port, host) for port, host in ((first, one), (second, two), (foreign, two))]
        await until_pings(guests[0], second)
        await until_pings(guests[1], first)
        assert not await deferToThread(pings, guests[2].name, first.fixed_ips[0].address)
        await cloud.workers[two.name].stopService()
        await cloud.start(three)
        third = cloud.placed(project, three)
        newcomer = await cloud.plugged(third, three)
        await until_pings(newcomer, first)
        cloud.workers[two.name] = cloud._worker(two)
        await cloud.start(two)
        await until_pings(newcomer, second)
        cloud.rows.write(ports.release, [second.device_id])
        network_id = cloud.rows.default_network(project).id
        await until(lambda: two.name not in cloud.rows.read(networks.hosts, network_id))
        await until_pings(guests[0], second, expected=False)
        await until_pings(guests[0], third)
        assert network_id not in await two.driver().networks()
    finally:
        await cloud.stop()
