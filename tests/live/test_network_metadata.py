"""A guest asks 169.254.169.254 and is known by its network and its own address; two tenants share that address."""

import json
import random
import subprocess

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.driver import LinuxBridge
from stackd.interfaces.network import IRouters
from stackd.model.assignments import InstanceAssignment, PortAssignment
from stackd.model.wirings import WiringChange
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.testing.contracts.network import network_of, port_of
from stackd.testing.records import an_instance
from stackd.workers.metadata.hosting import host_metadata
from stackd.workers.metadata.listeners import MetadataListeners
from stackd.workers.network import NetworkWorker
from tests.live.network_bench import LiveBench, hosted
from tests.live.plugging import run

bench = pytest.fixture(hosted)


@pytest_twisted.ensureDeferred
async def test_guests_see_themselves(bench: LiveBench) -> None:
    """Equal addresses on two networks are two instances; after the router was made anew it still answers."""
    networks = network_of(), network_of()
    ports = [port_of(network, 5) for network in networks]
    guests = {network.id: InstanceAssignment(instance=an_instance(id=digit * 32, hostname=f"guest-{digit}"))
              for network, digit in zip(networks, "12", strict=True)}
    driver = bench.driver()
    change = WiringChange(networks=networks, ports=tuple(ports))
    await driver.apply(change)

    async def user_data(instance_id: str) -> bytes:
        return b""

    def lookup(network_id: str, address: str) -> InstanceAssignment | None:
        return guests.get(network_id) if address == "10.0.0.5" else None

    assert IRouters.providedBy(driver)
    listeners = host_metadata(reactor=reactor, routers=driver, lookup=lookup, user_data=user_data, region="us-east-1",
                              secret=b"s")
    await listeners.look()
    try:
        plugged = [bench.guest(port, network.bridge) for port, network in zip(ports, networks, strict=True)]
        for guest in plugged:
            guest.dhcp()
        names_seen = [await asked(guest.name, "latest/meta-data/hostname") for guest in plugged]
        assert names_seen == ["guest-1.novalocal", "guest-2.novalocal"]
        shown = json.loads(await asked(plugged[0].name, "openstack/latest/meta_data.json"))
        assert shown["uuid"] == "11111111-1111-1111-1111-111111111111"

        await deferToThread(run, "", "ip", "netns", "del", driver.router_namespace(networks[0].id))
        await driver.apply(change)
        await listeners.look()
        assert await asked(plugged[0].name, "latest/meta-data/instance-id") == "i-11111111111111111"
    finally:
        await listeners.stopService()


class NetworkDaemon:
    """What a host's network daemon runs, and nothing else of the host."""

    def __init__(self, driver: LinuxBridge, cloud: HeldAssignments) -> None:
        self.worker = NetworkWorker(driver=driver, host="h1", zone="z", assignments=cloud, bus=MemoryBus(reactor),
                                    clock=reactor, randomness=random.Random(1))

        async def user_data(instance_id: str) -> bytes:
            return await cloud.user_data("h1", instance_id)

        self.metadata: MetadataListeners = host_metadata(
            reactor=reactor, routers=driver, lookup=self.worker.guest_at, user_data=user_data, region="moon",
            secret=b"s")

    async def start(self, network_id: str) -> None:
        """Returns when a network's guests can ask."""
        self.worker.startService()
        self.metadata.startService()
        for _ in range(100):
            if network_id in self.metadata.serving():
                return
            await deferLater(reactor, 0.1)
        raise AssertionError("metadata is not served")

    async def stop(self) -> None:
        """The wiring stays."""
        await self.metadata.stopService()
        await self.worker.stopService()


@pytest_twisted.ensureDeferred
async def test_the_network_daemon_alone_serves_its_host(bench: LiveBench) -> None:
    """No compute worker is needed; without the cloud it goes on, and one that starts so asks guests to wait."""
    network, cloud = network_of(), HeldAssignments()
    guest_id = "a" * 32
    wiring = evolve(port_of(network, 5), instance_id=guest_id, group_ids=())
    cloud.assign("h1", PortAssignment(id=wiring.id, generation=1, wiring=wiring, network=network))
    cloud.assign("h1", InstanceAssignment(instance=instance(guest_id, "h1", hostname="web")))
    daemon = NetworkDaemon(bench.driver(), cloud)
    await daemon.start(network.id)
    guest = bench.guest(wiring, network.bridge)
    try:
        await deferToThread(guest.dhcp)
        assert await asked(guest.name, "latest/meta-data/hostname") == "web.novalocal"
        away = [errors.Unavailable("The conductor is away.", remedy="Wait.") for _ in range(1000)]
        cloud.failures = away
        assert await asked(guest.name, "latest/meta-data/hostname") == "web.novalocal"
        await daemon.stop()
        daemon = NetworkDaemon(bench.driver(), cloud)
        await daemon.start(network.id)
        assert (await deferToThread(guest.dhcp))["ip"] == "10.0.0.5", "addresses are given without the cloud"
        with pytest.raises(subprocess.CalledProcessError) as failed:
            await asked(guest.name, "latest/meta-data/hostname")
        assert "503" in failed.value.stderr
        away.clear()
        for _ in range(100):
            if daemon.worker.assigned.version.incarnation:
                break
            await deferLater(reactor, 0.1)
        assert await asked(guest.name, "latest/meta-data/hostname") == "web.novalocal"
    finally:
        await daemon.stop()


async def asked(namespace: str, path: str) -> str:
    """What a guest gets; it holds no groups, and the metadata service is open to it all the same."""
    return str(await deferToThread(run, namespace, "timeout", "5", "busybox", "wget", "-qO-",
                                   f"http://{names.METADATA}/{path}"))
