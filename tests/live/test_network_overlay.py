"""Networks across hosts as guests notice them: who reaches whom, what stays on a host, what fits."""

import os
import signal
import socket
import subprocess
import threading
from ipaddress import ip_address, ip_network

import pytest
import pytest_twisted
from attrs import evolve

from stackd.drivers.networks.linuxbridge.names import METADATA, router_mac, tunnel_link
from stackd.drivers.networks.namespaces import listening_socket
from stackd.model.groups import Direction
from stackd.model.wirings import NetworkWiring, ObservedWiring, PortWiring, WiringChange
from stackd.testing.contracts.network import floating_of, group_of, network_of, port_of, rule, shown
from stackd.testing.lab.fabric import UNDERLAY_LINK
from tests.live.dying import assigned, died, recovered, traces
from tests.live.overlay_bench import OverlayBench, OverlayHost, fabricated
from tests.live.plugging import Guest, blocked, connects, pings, run

OPEN = group_of(rule(Direction.EGRESS), rule(), rule(Direction.EGRESS, ethertype="IPv6"), rule(ethertype="IPv6"))
PICKY = group_of(rule(Direction.EGRESS), rule(protocol="icmp"), rule(protocol="tcp", port_min=22, port_max=22))
FLOATING = "203.0.113.10"
BULK = 3_000_000

bench = pytest.fixture(fabricated)


def flooded(host: OverlayHost, network: NetworkWiring) -> list[str]:
    """Where a host sends what is for everybody on a network."""
    shown_ = run(host.name, "bridge", "fdb", "show", "dev", tunnel_link(network.id))
    return sorted(line.split(" dst ")[1].split()[0] for line in shown_.splitlines()
                  if line.startswith("00:00:00:00:00:00"))


async def meshed(hosts: list[OverlayHost], network: NetworkWiring, *ports: PortWiring,
                 generation: int = 1) -> list[Guest]:
    """One port on each host, each host knowing all the others; the guests, plugged in and with their addresses."""
    guests = []
    for host, port in zip(hosts, ports, strict=True):
        peers = tuple(each for each in hosts if each is not host)
        await host.wire(network, port, peers=peers, groups=(OPEN, PICKY), generation=generation)
        guests.append(host.guest(port, network.bridge))
        address = ip_address(port.addresses[0])
        gateway = next(each.gateway_ip for each in network.subnets if address in ip_network(each.cidr))
        guests[-1].address(str(address), gateway)
    return guests


@pytest_twisted.ensureDeferred
async def test_across_hosts(bench: OverlayBench) -> None:
    """Guests on three hosts get their leases and reach each other; groups decide as on one host."""
    network = network_of()
    ports = [port_of(network, number, group_ids=(PICKY.id,)) for number in (5, 6, 7)]
    guests = await meshed(bench.hosts, network, *ports)
    assert [guest.dhcp()["ip"] for guest in guests] == ["10.0.0.5", "10.0.0.6", "10.0.0.7"]
    for source in guests:
        assert all(pings(source.name, port.addresses[0]) for port in ports)
    with guests[2].listen(22), guests[2].listen(80):
        assert connects(guests[0].name, "10.0.0.7", 22)
        assert blocked(guests[0].name, "10.0.0.7", 80)


@pytest_twisted.ensureDeferred
async def test_subnets_across_hosts(bench: OverlayBench) -> None:
    """Guests in two subnets of a network reach each other through their own routers, which stay their own."""
    network, other = network_of(), network_of("10.9.0.0/24", "10.9.0.1")
    network = evolve(network, subnets=(*network.subnets, *other.subnets))
    one, two = port_of(network, 5, group_ids=(OPEN.id,)), \
        port_of(network, 6, addresses=("10.9.0.6",), group_ids=(OPEN.id,))
    first, second = await meshed(bench.hosts[:2], network, one, two)
    assert pings(first.name, "10.9.0.6") and pings(second.name, "10.0.0.5")
    with second.listen(22) as listening:
        assert connects(first.name, "10.9.0.6", 22)
        assert listening.accept()[0].getpeername()[0] == "10.0.0.5"
    for guest, host, gateway in ((first, bench.hosts[0], "10.0.0.1"), (second, bench.hosts[1], "10.9.0.1")):
        assert pings(guest.name, gateway)
        assert router_mac(network.id, host.tunnel) in run(guest.name, "ip", "neigh", "show", gateway)


@pytest_twisted.ensureDeferred
async def test_tenants_with_equal_prefixes(bench: OverlayBench) -> None:
    """Networks with the same prefix, addresses and MACs on the same hosts never meet."""
    ours, theirs = network_of(), network_of()
    a, b = (port_of(ours, number, group_ids=(OPEN.id,)) for number in (5, 6))
    c, d = (port_of(theirs, number, group_ids=(OPEN.id,)) for number in (5, 7))
    first = await meshed(bench.hosts[:2], ours, a, b)
    second = await meshed(bench.hosts[:2], theirs, c, d)
    assert pings(first[0].name, "10.0.0.6") and not pings(first[0].name, "10.0.0.7")
    assert pings(second[0].name, "10.0.0.7") and not pings(second[0].name, "10.0.0.6")
    with first[0].listen(22):
        assert connects(first[1].name, "10.0.0.5", 22)
        assert not connects(second[1].name, "10.0.0.5", 22), "the other tenant's 10.0.0.5 does not listen"


@pytest_twisted.ensureDeferred
async def test_only_the_own_host_serves(bench: OverlayBench) -> None:
    """DHCP, the gateway and metadata are the own host's or nobody's, even where another host could answer."""
    network = network_of()
    port, other = port_of(network, 5, group_ids=(OPEN.id,)), port_of(network, 6, group_ids=(OPEN.id,))
    here, there = bench.hosts[:2]
    guest, _ = await meshed([here, there], network, port, other)
    await there.driver().apply(WiringChange(ports=(port,)))  # so that its server knows the guest too
    routers = [host.driver().router_namespace(network.id) for host in (here, there)]
    with listening_socket(routers[1], METADATA, 80):
        assert not connects(guest.name, METADATA, 80, 0.6)
        with listening_socket(routers[0], METADATA, 80) as own:
            assert connects(guest.name, METADATA, 80)
            own.settimeout(3)
            assert own.accept()[1][0] == "10.0.0.5"
        run(routers[0], "ip", "link", "set", "inside", "down")
        run(guest.name, "ip", "neigh", "flush", "dev", "eth0")
        assert not connects(guest.name, METADATA, 80, 0.6)
        assert not pings(guest.name, "10.0.0.1")
        assert router_mac(network.id, there.tunnel) not in run(guest.name, "ip", "neigh")
        assert pings(guest.name, "10.0.0.6"), "its network is there all the same"
    run(routers[0], "ip", "link", "set", "inside", "up")
    assert guest.dhcp()["ip"] == "10.0.0.5"
    os.kill(int((here.state / "dhcp" / network.id / "pid").read_text()), signal.SIGKILL)
    with pytest.raises(subprocess.SubprocessError):
        guest.dhcp()


@pytest_twisted.ensureDeferred
async def test_outside(bench: OverlayBench) -> None:
    """A floating address answers on its guest's host; every host leads its own guests out."""
    network = network_of()
    ports = [port_of(network, number, group_ids=(OPEN.id,)) for number in (5, 6)]
    guests = await meshed(bench.hosts[:2], network, *ports)
    outside, gateway = bench.fabric.outside, bench.fabric.gateway
    await bench.hosts[1].driver().apply(WiringChange(floating_ips=(floating_of(ports[1], FLOATING),)))
    with guests[1].listen(22):
        assert connects(outside, FLOATING, 22)
        assert connects(guests[0].name, FLOATING, 22), "a neighbour on another host may use it too"
    with listening_socket(outside, gateway, 8080) as server:
        server.settimeout(3)
        sources = []
        for guest in guests:
            assert connects(guest.name, gateway, 8080)
            sources.append(server.accept()[1][0])
    assert sources[0].startswith("100.65.") and sources[1] == FLOATING


@pytest_twisted.ensureDeferred
async def test_hosts_come_and_go(bench: OverlayBench) -> None:
    """A host that joins is reached once the others know of it, and is not any more when they know it left."""
    network = network_of()
    ports = [port_of(network, number, group_ids=(OPEN.id,)) for number in (5, 6, 7)]
    one, two, three = bench.hosts
    first, _ = await meshed([one, two], network, *ports[:2])
    await three.wire(network, ports[2], peers=(one, two), groups=(OPEN,), generation=2)
    newcomer = three.guest(ports[2], network.bridge)
    newcomer.address("10.0.0.7")
    assert not pings(newcomer.name, "10.0.0.5"), "what it sends is not taken from a stranger"
    await one.wire(network, peers=(two, three), generation=2)
    await two.wire(network, peers=(one, three), generation=2)
    assert flooded(one, network) == [two.tunnel, three.tunnel]
    assert pings(newcomer.name, "10.0.0.5") and pings(first.name, "10.0.0.7") and pings(first.name, "10.0.0.6")
    await one.wire(network, peers=(two,), generation=3)
    assert flooded(one, network) == [two.tunnel]
    assert three.tunnel not in run(one.name, "bridge", "fdb", "show"), "what was learned of it is forgotten too"
    assert not pings(first.name, "10.0.0.7") and pings(first.name, "10.0.0.6")
    await one.wire(network, generation=4)
    assert flooded(one, network) == [] and not pings(first.name, "10.0.0.6")


@pytest_twisted.ensureDeferred
async def test_what_fits(bench: OverlayBench) -> None:
    """The network's MTU passes unfragmented; guests that take more are told, or their packets are cut, never lost."""
    network = network_of()
    ports = [port_of(network, number, group_ids=(OPEN.id,)) for number in (5, 6)]
    guests = await meshed(bench.hosts[:2], network, *ports)
    for guest in guests:
        assert guest.dhcp()["mtu"] == "1450"
        run(guest.name, "ip", "link", "set", "eth0", "mtu", "1450")
    run(guests[0].name, "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1422", "10.0.0.6")
    assert moved(guests[0], guests[1]) == BULK
    for guest, host in zip(guests, bench.hosts[:2], strict=True):
        run(guest.name, "ip", "link", "set", "eth0", "mtu", "1500")
        run(host.name, "ip", "link", "set", guest.port.tap, "mtu", "1500")
    run(guests[0].name, "ping", "-c", "1", "-W", "2", "-M", "dont", "-s", "1472", "10.0.0.6")
    told = subprocess.run(["nsenter", f"--net=/run/netns/{guests[0].name}", "ping", "-c", "2", "-W", "1", "-M", "do",
                           "-s", "1472", "10.0.0.6"], capture_output=True, text=True, timeout=20, check=False)
    assert "mtu = 1450" in told.stdout.lower() or "mtu=1450" in told.stdout + told.stderr, told
    assert moved(guests[0], guests[1]) == BULK


@pytest.mark.parametrize("underlay", [1400, 9000])
@pytest_twisted.ensureDeferred
async def test_an_underlay_of_another_size(bench: OverlayBench, underlay: int) -> None:
    """Networks get 50 bytes less: guests are told so, what is as large is not cut, and the way outside works."""
    network = network_of(mtu=underlay - 50)
    for host in bench.hosts[:2]:
        run(bench.fabric.core, "ip", "link", "set", f"under{host.host.number}", "mtu", str(underlay))
        run(host.name, "ip", "link", "set", UNDERLAY_LINK, "mtu", str(underlay))
    run(bench.fabric.core, "ip", "link", "set", "under", "mtu", str(underlay))
    guests = await meshed(bench.hosts[:2], network, *(port_of(network, n, group_ids=(OPEN.id,)) for n in (5, 6)))
    for guest in guests:
        assert guest.dhcp()["mtu"] == str(network.mtu)
        run(guest.name, "ip", "link", "set", "eth0", "mtu", str(network.mtu))
        run(guest.host, "ip", "link", "set", guest.port.tap, "mtu", str(network.mtu))
    before = [fragments(host) for host in bench.hosts[:2]]
    run(guests[0].name, "ping", "-c", "1", "-W", "2", "-M", "do", "-s", str(network.mtu - 28), "10.0.0.6")
    assert moved(guests[0], guests[1]) == BULK
    assert [fragments(host) for host in bench.hosts[:2]] == before
    outside = listening_socket(bench.fabric.outside, bench.fabric.gateway, 5002)
    assert transferred(guests[0].name, outside, bench.fabric.gateway, 5002) == BULK


def fragments(host: OverlayHost) -> str:
    """How many packets the host has cut."""
    lines = [line.split() for line in run(host.name, "cat", "/proc/net/snmp").splitlines() if line.startswith("Ip:")]
    return lines[1][lines[0].index("FragCreates")]


def moved(source: Guest, target: Guest) -> int:
    """How many bytes of a bulk transfer over TCP arrive."""
    return transferred(source.name, target.listen(5001), target.port.addresses[0], 5001)


def transferred(source: str, listening: socket.socket, address: str, port: int) -> int:
    """How many bytes of a bulk transfer from a namespace to a listening socket arrive."""
    with listening:
        listening.settimeout(5)
        sending = connects(source, address, port)
        assert sending
        receiving = listening.accept()[0]
    receiving.settimeout(5)
    feeder = threading.Thread(target=_feed, args=(sending,))
    feeder.start()
    count = 0
    with receiving:
        while piece := receiving.recv(65536):
            count += len(piece)
    feeder.join()
    return count


def _feed(sending: socket.socket) -> None:
    with sending:
        sending.settimeout(5)
        sending.sendall(bytes(BULK))


@pytest_twisted.ensureDeferred
async def test_strangers_on_the_underlay(bench: OverlayBench) -> None:
    """Whoever is no peer cannot send into a network, though it knows the segment and reaches the host."""
    network, stranger = network_of(), "10.77.0.200"
    port = port_of(network, 5, group_ids=(OPEN.id,))
    host = bench.hosts[0]
    [guest] = await meshed([host], network, port)
    core = bench.fabric.core
    run(core, "ip", "addr", "add", f"{stranger}/24", "dev", "under")
    run(core, "ip", "link", "add", "fake", "type", "vxlan", "id", str(network.segment), "local", stranger,
        "remote", host.tunnel, "dstport", "4789")
    run(core, "ip", "addr", "add", "10.0.0.9/24", "dev", "fake")
    run(core, "ip", "link", "set", "fake", "up")
    assert pings(core, host.tunnel) and not pings(core, "10.0.0.5")
    seen = evolve(network, generation=2, peers=(stranger,))
    await host.driver().apply(WiringChange(networks=(seen,)))
    assert pings(core, "10.0.0.5"), "as a peer it could"
    assert guest.dhcp()["ip"] == "10.0.0.5"


@pytest_twisted.ensureDeferred
async def test_ipv6(bench: OverlayBench) -> None:
    """IPv6 guests find each other across hosts, in one subnet and in two, and hear their own router only."""
    network, other = network_of("fd00:5::/64", "fd00:5::1"), network_of("fd00:6::/64", "fd00:6::1")
    network = evolve(network, subnets=(*network.subnets, *other.subnets))
    addresses = ("fd00:5::5", "fd00:5::6", "fd00:6::7")
    ports = [port_of(network, int(address[-1]), addresses=(address,), group_ids=(OPEN.id,)) for address in addresses]
    guests = []
    for host, port in zip(bench.hosts, ports, strict=True):
        await host.wire(network, port, peers=tuple(each for each in bench.hosts if each is not host), groups=(OPEN,))
        guests.append(host.guest(port, network.bridge))
        run(guests[-1].name, "ip", "addr", "add", f"{port.addresses[0]}/64", "dev", "eth0", "nodad")
        run(guests[-1].name, "timeout", "10", "sh", "-c", "until ip -6 route show default | grep ra; do :; done")
    assert pings(guests[0].name, "fd00:5::6")
    assert pings(guests[0].name, "fd00:6::7") and pings(guests[2].name, "fd00:5::6")
    for guest in guests:
        assert run(guest.name, "ip", "-6", "route", "show", "default").count("via fe80:") == 1


@pytest.mark.parametrize("harm", ["port", "peer", "bridge", "stranger"])
@pytest_twisted.ensureDeferred
async def test_harm_is_observed_and_mended(bench: OverlayBench, harm: str) -> None:
    """A tunnel that is gone, leads elsewhere or came loose shows as not wired, and applying again mends it."""
    host = bench.hosts[0]
    network = network_of(peers=(bench.hosts[1].tunnel,))
    change = WiringChange(networks=(network,))
    await host.driver().apply(change)
    link, everybody = tunnel_link(network.id), "00:00:00:00:00:00"
    run(host.name, *{"port": ("ip", "link", "del", link),
                     "peer": ("bridge", "fdb", "del", everybody, "dev", link, "dst", bench.hosts[1].tunnel),
                     "bridge": ("ip", "link", "set", link, "nomaster"),
                     "stranger": ("bridge", "fdb", "append", everybody, "dev", link, "dst", "10.77.0.99")}[harm])
    assert (await host.driver().observe()).networks == {}
    await host.driver().apply(change)
    assert await host.driver().observe() == shown(change)
    assert flooded(host, network) == [bench.hosts[1].tunnel]


@pytest_twisted.ensureDeferred
async def test_tunnels_moved_and_taken_away(bench: OverlayBench) -> None:
    """A host that gets another tunnel address, or none, wires its networks anew so."""
    host = bench.hosts[0]
    network = network_of(peers=(bench.hosts[1].tunnel,))
    change = WiringChange(networks=(network,))
    for address in (host.tunnel, "10.77.0.50", ""):
        driver = host.driver(tunnel_address=address)
        if address != host.tunnel:
            assert (await driver.observe()).networks == {}
        await driver.apply(change)
        assert await driver.observe() == shown(change)
        assert (tunnel_link(network.id) in run(host.name, "ip", "link")) is bool(address)
        assert address in run(host.name, "ip", "-d", "link")


@pytest_twisted.ensureDeferred
async def test_died_half_way(bench: OverlayBench) -> None:
    """Whichever command was the last before the worker died: the next one has all wired, peers too, or leaves none."""
    host, others = bench.hosts[0], [each.tunnel for each in bench.hosts[1:]]
    network = network_of(peers=tuple(others))
    change = WiringChange(networks=(network,), ports=(port_of(network, 5),))
    fewer = evolve(change, networks=(evolve(network, generation=2, peers=(others[0],)),))
    nothing = assigned(change, change.ports[0].id)
    survived = 0
    while await died(host, assigned(change), survived):
        assert await recovered(host, assigned(change)) == shown(change), survived
        await died(host, assigned(fewer), survived)
        assert await recovered(host, assigned(fewer)) == shown(fewer), survived
        assert flooded(host, network) == others[:1]
        await died(host, nothing, survived)
        assert await recovered(host, nothing) == ObservedWiring(), survived
        assert traces(host, network) == [], survived
        survived += 1
    assert survived > 5


def test_a_cable_pulled_and_put_back(bench: OverlayBench) -> None:
    """The fabric can cut a host off and join it again; preparing twice is harmless."""
    one, two = bench.fabric.hosts[:2]
    assert pings(one.netns, two.tunnel_address)
    bench.fabric.cut(two)
    assert not pings(one.netns, two.tunnel_address)
    bench.fabric.join(two)
    bench.fabric.prepare()
    assert pings(one.netns, two.tunnel_address)
