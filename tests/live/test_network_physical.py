"""Networks on a physical network: flat ones here; those in a VLAN in the lab machine, for few kernels have all."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from stackd import errors
from stackd.drivers.networks.namespaces import within
from stackd.model.wirings import NetworkWiring, WiringChange
from tests.live.physical_bench import LINK, PhysicalBench, check
from tests.live.plugging import Guest, run


@pytest.mark.parametrize("mtu", [1450, 1500, 9000])
def test_a_flat_network(tmp_path: Path, mtu: int) -> None:
    """Guests of two hosts and the network's own router reach each other; DHCP and metadata stay on each host."""
    check(tmp_path, mtu=mtu)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PhysicalBench]:
    """Two hosts, and afterwards nothing of them."""
    made = PhysicalBench(tmp_path)
    yield made
    assert made.remove() == ""


def refused(bench: PhysicalBench, network: NetworkWiring) -> str:
    """Why the first host cannot take part in a network."""
    with pytest.raises(errors.DriverFailure) as failed:
        bench.hosts[0].driver.apply(WiringChange(networks=(network,)))
    assert bench.hosts[0].driver.observe().networks == {}
    return str(failed.value)


def test_what_cannot_be_plugged_in(bench: PhysicalBench) -> None:
    """The reason is told, and nothing is wired."""
    assert "not on physical network attic" in refused(bench, evolve(bench.network, physical_network="attic"))
    assert "carries packets of 1500 bytes" in refused(bench, evolve(bench.network, mtu=9000))
    host = bench.hosts[0].name
    run(host, "ip", "link", "add", "other", "type", "bridge")
    run(host, "ip", "link", "set", LINK, "master", "other")
    assert "plugged into other already" in refused(bench, bench.network)
    run(host, "ip", "link", "del", "other")
    run(host, "ip", "link", "set", LINK, "name", "gone")
    assert f"The interface {LINK} is not on this host" in refused(bench, bench.network)
    run(host, "ip", "link", "set", "gone", "name", LINK)


def test_the_interface_is_given_back(bench: PhysicalBench) -> None:
    """When the last port goes so does the bridge, and the interface is in none; wired again it is in one."""
    host = bench.hosts[0]
    port = bench.wire(host, 5)
    assert host.driver.commands.links(host.name)[LINK]["master"] == bench.network.bridge
    host.driver.apply(WiringChange(remove_ports=(port.id,), remove_networks=(bench.network.id,)))
    assert "master" not in host.driver.commands.links(host.name)[LINK]
    bench.wire(host, 5)


def test_an_interface_that_was_pulled_out_is_plugged_in_again(bench: PhysicalBench) -> None:
    """The network shows as not wired until it was applied again."""
    host = bench.hosts[0]
    bench.wire(host, 5)
    run(host.name, "ip", "link", "set", LINK, "nomaster")
    assert host.driver.observe().networks == {}
    host.driver.apply(WiringChange(networks=(bench.network,)))
    assert host.driver.observe().networks == {bench.network.id: 1}


@pytest.mark.parametrize("tag", ["8100", "88a8"])
def test_nobody_leaves_a_flat_network_for_a_vlan(bench: PhysicalBench, tag: str) -> None:
    """Frames that a guest tagged itself stay on its host, even those of a guest that is trusted with its address."""
    host = bench.hosts[0]
    guest = host.guest(bench.wire(host, 5, port_security=False))
    ear = within(bench.router, frames)
    with ear:
        send(guest, bytes.fromhex(tag) + b"\0\x64", b"into a VLAN")
        send(guest, b"", b"as it is")
        heard = b""
        while b"as it is" not in heard:
            heard += ear.recv(2048)
    assert b"into a VLAN" not in heard


def frames() -> socket.socket:
    """What hears every frame on the link."""
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.bind((LINK, 3))
    ear.settimeout(5)
    return ear


def send(guest: Guest, tag: bytes, text: bytes) -> None:
    """One frame of a guest to everybody."""
    mouth = within(guest.name, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with mouth:
        mouth.bind(("eth0", 0))
        # A type that is kept for experiments.
        mouth.send(b"\xff" * 6 + bytes.fromhex(guest.port.mac.replace(":", "")) + tag + b"\x88\xb5" + text.ljust(60))
