"""A guest asks 169.254.169.254 and is known by its network and its own address; two tenants share that address."""

import json

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from stackd.drivers.networks.linuxbridge import names
from stackd.interfaces.network import IRouters
from stackd.model.assignments import InstanceAssignment
from stackd.model.wirings import WiringChange
from stackd.testing.contracts.network import network_of, port_of
from stackd.testing.records import an_instance
from stackd.workers.metadata.hosting import host_metadata
from tests.live.network_bench import LiveBench, hosted, run

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


async def asked(namespace: str, path: str) -> str:
    """What a guest gets; it holds no groups, and the metadata service is open to it all the same."""
    return str(await deferToThread(run, namespace, "timeout", "5", "busybox", "wget", "-qO-",
                                   f"http://{names.METADATA}/{path}"))
