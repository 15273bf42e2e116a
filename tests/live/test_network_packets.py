"""What guests notice of the Linux bridge driver: leases, spoofing, groups, tenants with equal prefixes, the outside."""

import json
import os
import signal
import socket

import pytest
import pytest_twisted
from attrs import evolve

from stackd import errors
from stackd.drivers.networks import hostnet
from stackd.drivers.networks.linuxbridge.hostrules import link_local
from stackd.drivers.networks.linuxbridge.names import router_mac
from stackd.drivers.networks.namespaces import listening_socket, within
from stackd.model.groups import Direction
from stackd.model.wirings import ObservedWiring, WiringChange
from stackd.rules.plans.wiring import AssignedWiring, change_for
from stackd.testing.contracts.network import floating_of, group_of, network_of, port_of, rule, shown
from tests.live.dying import assigned, died, recovered, traces
from tests.live.network_bench import LiveBench, hosted
from tests.live.plugging import BLOCKED, blocked, connects, pings, run

OUT = rule(Direction.EGRESS)
SSH = rule(protocol="tcp", port_min=22, port_max=22)
GATEWAY = "203.0.113.1"
FLOATING = "203.0.113.10"


bench = pytest.fixture(hosted)


@pytest_twisted.ensureDeferred
async def test_lease(bench: LiveBench) -> None:
    """DHCP gives the port's address, name, router, MTU, resolver and routes; a later port is served too."""
    network, group = network_of(), group_of(OUT)
    port = port_of(network, 5, hostname="web", group_ids=(group.id,))
    hostile = port_of(network, 6, hostname="x,10.0.0.9\ndhcp-script=/bin/sh", group_ids=(group.id,))
    driver = bench.driver()
    await driver.apply(WiringChange(networks=(network,), ports=(port,), groups=(group,)))
    lease = bench.guest(port, network.bridge).dhcp()
    assert (lease["ip"], lease["router"], lease["mtu"]) == ("10.0.0.5", "10.0.0.1", "1450")
    assert (lease["hostname"], lease["domain"], lease["dns"]) == ("web", "novalocal", "192.0.2.53")
    assert lease["staticroutes"] == "169.254.169.254/32 10.0.0.1 0.0.0.0/0 10.0.0.1"
    await driver.apply(WiringChange(ports=(hostile,)))
    second = bench.guest(hostile, network.bridge).dhcp()
    assert (second["ip"], second["hostname"]) == ("10.0.0.6", "host-10-0-0-6")


@pytest_twisted.ensureDeferred
async def test_two_subnets_and_equal_names(bench: LiveBench) -> None:
    """A port gets what its own subnet says; guests of the same name both hear it."""
    first, second = network_of(), network_of("10.9.0.0/24", "10.9.0.1")
    network = evolve(first, subnets=(*first.subnets, *second.subnets))
    one, two = port_of(network, 5, hostname="web"), port_of(second, 6, hostname="web", network_id=network.id)
    await bench.driver().apply(WiringChange(networks=(network,), ports=(one, two)))
    leases = [bench.guest(port, network.bridge).dhcp() for port in (one, two)]
    assert [(lease["ip"], lease["router"], lease["hostname"]) for lease in leases] == [
        ("10.0.0.5", "10.0.0.1", "web"), ("10.9.0.6", "10.9.0.1", "web")]


@pytest_twisted.ensureDeferred
async def test_address_goes_to_the_next_holder(bench: LiveBench) -> None:
    """The lease of a removed port does not keep its address from a new port."""
    network = network_of()
    driver = bench.driver()
    first = port_of(network, 5)
    await driver.apply(WiringChange(networks=(network,), ports=(first,)))
    assert bench.guest(first, network.bridge).dhcp()["ip"] == "10.0.0.5"
    await driver.apply(WiringChange(remove_ports=(first.id,)))
    heir = port_of(network, 7, addresses=("10.0.0.5",))
    await driver.apply(WiringChange(ports=(heir,)))
    assert bench.guest(heir, network.bridge).dhcp()["ip"] == "10.0.0.5"


@pytest_twisted.ensureDeferred
async def test_spoofing(bench: LiveBench) -> None:
    """A guest with another's address, or another MAC, reaches nobody; as itself it does."""
    network = network_of()
    group = group_of(OUT, rule())
    one, two = port_of(network, 5, group_ids=(group.id,)), port_of(network, 6, group_ids=(group.id,))
    await bench.driver().apply(WiringChange(networks=(network,), ports=(one, two), groups=(group,)))
    liar, peer = bench.guest(one, network.bridge), bench.guest(two, network.bridge)
    peer.address("10.0.0.6")
    liar.address("10.0.0.5")
    assert pings(liar.name, "10.0.0.6")
    liar.address("10.0.0.9")
    assert not pings(liar.name, "10.0.0.6")
    liar.address("10.0.0.5")
    run(liar.name, "ip", "link", "set", "eth0", "address", "fa:16:3e:99:99:99")
    assert not pings(liar.name, "10.0.0.6")
    run(liar.name, "ip", "link", "set", "eth0", "address", one.mac)
    assert pings(liar.name, "10.0.0.6")


@pytest_twisted.ensureDeferred
async def test_groups(bench: LiveBench) -> None:
    """An allowed port passes, others do not; a group source lets in members, and one more when it is added."""
    network = network_of()
    friends = group_of(OUT)
    group = group_of(SSH, rule(protocol="tcp", port_min=80, port_max=90, remote_group_id=friends.id),
                     members={friends.id: ("10.0.0.6",)})
    server, member, late = port_of(network, 5, group_ids=(group.id,)), \
        port_of(network, 6, group_ids=(friends.id,)), port_of(network, 7, group_ids=(friends.id,))
    driver = bench.driver()
    await driver.apply(WiringChange(networks=(network,), groups=(group, friends), ports=(server, member, late)))
    guests = [bench.guest(port, network.bridge) for port in (server, member, late)]
    for guest in guests:
        guest.address(guest.port.addresses[0])
    listening = [guests[0].listen(number) for number in (22, 80, 443)]
    assert connects(guests[1].name, "10.0.0.5", 22)
    standing = connects(guests[1].name, "10.0.0.5", 80)
    assert standing
    assert blocked(guests[1].name, "10.0.0.5", 443)
    assert blocked(guests[2].name, "10.0.0.5", 80)
    assert not pings(guests[1].name, "10.0.0.5")
    wider = evolve(group, members={friends.id: ("10.0.0.6", "10.0.0.7")}, generation=2)
    await driver.apply(WiringChange(groups=(wider,)))
    assert connects(guests[2].name, "10.0.0.5", 80)
    standing.sendall(b"still there")
    assert blocked(guests[0].name, "10.0.0.6", 22), "the server's group lets nothing out"
    for each in listening:
        each.close()


@pytest_twisted.ensureDeferred
async def test_open_and_closed_ports(bench: LiveBench) -> None:
    """Without groups a guest gets its lease and nothing more; without port security nothing is filtered."""
    network = network_of()
    closed, open_ = port_of(network, 5), port_of(network, 6, port_security=False)
    await bench.driver().apply(WiringChange(networks=(network,), ports=(closed, open_)))
    shut, free = bench.guest(closed, network.bridge), bench.guest(open_, network.bridge)
    assert shut.dhcp()["ip"] == "10.0.0.5"
    free.address("10.0.0.6")
    assert pings(free.name, "10.0.0.1")
    assert not pings(free.name, "10.0.0.5")
    assert not pings(shut.name, "10.0.0.6")
    free.address("10.0.0.99")
    assert pings(free.name, "10.0.0.1")


@pytest_twisted.ensureDeferred
async def test_tenants_with_equal_prefixes(bench: LiveBench) -> None:
    """Two networks with the same prefix, addresses and MACs live beside each other and never meet."""
    open_, closed = group_of(OUT, rule()), group_of(OUT, rule(protocol="icmp"))
    ours, theirs = network_of(), network_of()
    a, b = (port_of(ours, number, group_ids=(open_.id,)) for number in (5, 6))
    c, d, e = (port_of(theirs, number, group_ids=(closed.id,)) for number in (5, 6, 7))
    await bench.driver().apply(WiringChange(networks=(ours, theirs), ports=(a, b, c, d, e), groups=(open_, closed)))
    guests = [bench.guest(port, ours.bridge if port in (a, b) else theirs.bridge) for port in (a, b, c, d, e)]
    assert [guest.dhcp()["ip"] for guest in guests] == ["10.0.0.5", "10.0.0.6", "10.0.0.5", "10.0.0.6", "10.0.0.7"]
    assert pings(guests[4].name, "10.0.0.5") and not pings(guests[0].name, "10.0.0.7")
    with guests[0].listen(22), guests[2].listen(22):
        standing = connects(guests[1].name, "10.0.0.5", 22, source=("10.0.0.6", 40000))
        assert standing
        same = connects(guests[3].name, "10.0.0.5", 22, BLOCKED, source=("10.0.0.6", 40000))
        assert same is None, "the other tenant's connection, with all the same numbers, opened no way here"


@pytest_twisted.ensureDeferred
async def test_outside(bench: LiveBench) -> None:
    """Guests reach the outside by SNAT, a floating address leads in and gives its name going out, until withdrawn."""
    network, group = network_of(), group_of(OUT, SSH)
    port, other = port_of(network, 5, group_ids=(group.id,)), port_of(network, 6, group_ids=(group.id,))
    driver = bench.driver()
    await driver.apply(WiringChange(networks=(network,), ports=(port, other), groups=(group,)))
    guest, neighbour = bench.guest(port, network.bridge), bench.guest(other, network.bridge)
    guest.address("10.0.0.5")
    neighbour.address("10.0.0.6")
    with Outside(bench) as outside, guest.listen(22), guest.listen(80):
        assert outside.source_of(guest.name).startswith("100.64.")
        assert blocked(bench.outside, FLOATING, 22)
        floating = floating_of(port, FLOATING)
        await driver.apply(WiringChange(floating_ips=(floating,)))
        standing = connects(bench.outside, FLOATING, 22)
        assert standing
        assert blocked(bench.outside, FLOATING, 80)
        assert outside.source_of(guest.name) == FLOATING
        assert connects(neighbour.name, FLOATING, 22), "a neighbour may use the public address too"
        await driver.apply(WiringChange(floating_ips=(
            evolve(floating, port_id=other.id, fixed_ip="10.0.0.6", generation=2),)))
        with neighbour.listen(22) as listening:
            assert connects(bench.outside, FLOATING, 22)
            assert listening.accept()[0].getpeername()[0] == GATEWAY
        await driver.apply(WiringChange(remove_floating_ips=(floating.id,)))
        assert blocked(bench.outside, FLOATING, 22)
        assert outside.source_of(neighbour.name).startswith("100.64.")


class Outside:
    """A server outside that tells who called."""

    def __init__(self, bench: LiveBench) -> None:
        self.socket = listening_socket(bench.outside, GATEWAY, 8080)
        self.socket.settimeout(3)

    def __enter__(self) -> "Outside":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def source_of(self, namespace: str) -> str:
        """The address a connection from this namespace seems to come from."""
        assert connects(namespace, GATEWAY, 8080)
        accepted, peer = self.socket.accept()
        accepted.close()
        return peer[0]


@pytest_twisted.ensureDeferred
async def test_ipv6(bench: LiveBench) -> None:
    """A guest of an IPv6 subnet hears the router, and groups and spoofing rules hold there as well."""
    network = network_of("fd00:5::/64", "fd00:5::1")
    group = group_of(rule(Direction.EGRESS, ethertype="IPv6"),
                     rule(ethertype="IPv6", protocol="tcp", port_min=22, port_max=22))
    one, two = (port_of(network, number, addresses=(f"fd00:5::{number}",), group_ids=(group.id,)) for number in (5, 6))
    await bench.driver().apply(WiringChange(networks=(network,), ports=(one, two), groups=(group,)))
    guests = [bench.guest(port, network.bridge) for port in (one, two)]
    heard = run(guests[0].name, "timeout", "5", "sh", "-c",
                "until ip -6 route show default | grep ra; do :; done")
    assert link_local(router_mac(network.id)) in heard
    for guest in guests:
        run(guest.name, "ip", "addr", "add", f"{guest.port.addresses[0]}/64", "dev", "eth0", "nodad")

    def listener() -> socket.socket:
        return socket.create_server(("::", 22), family=socket.AF_INET6)
    with within(guests[0].name, listener):
        assert connects(guests[1].name, "fd00:5::5", 22)
        assert pings(guests[1].name, "fd00:5::1")
        assert not pings(guests[1].name, "fd00:5::5")
        run(guests[1].name, "ip", "addr", "del", "fd00:5::6/64", "dev", "eth0")
        run(guests[1].name, "ip", "addr", "add", "fd00:5::9/64", "dev", "eth0", "nodad")
        assert blocked(guests[1].name, "fd00:5::5", 22)


@pytest_twisted.ensureDeferred
async def test_subnet_without_gateway(bench: LiveBench) -> None:
    """DHCP serves a subnet in which the host has no address, and gives no router."""
    network = network_of(gateway="")
    port = port_of(network, 5)
    await bench.driver().apply(WiringChange(networks=(network,), ports=(port,)))
    lease = bench.guest(port, network.bridge).dhcp()
    assert lease["ip"] == "10.0.0.5" and "router" not in lease


@pytest.mark.parametrize("harm", ["dnsmasq", "rules", "bridge", "router", "uplink", "filtering"])
@pytest_twisted.ensureDeferred
async def test_harm_is_observed_and_mended(bench: LiveBench, harm: str) -> None:
    """What died or was taken away shows as not wired, and applying again brings it back."""
    network, group = network_of(), group_of(OUT, SSH)
    port = port_of(network, 5, group_ids=(group.id,))
    change = WiringChange(networks=(network,), ports=(port,), groups=(group,), floating_ips=(floating_of(port),))
    await bench.driver().apply(change)
    router = bench.driver().router_namespace(network.id)
    if harm == "dnsmasq":
        os.kill(int((bench.state / "dhcp" / network.id / "pid").read_text()), signal.SIGKILL)
    elif harm == "rules":
        run(bench.name, "nft", "flush", "ruleset")
    elif harm == "bridge":
        run(bench.name, "ip", "link", "del", network.bridge)
    elif harm == "router":
        run(router, "nft", "flush", "ruleset")
    elif harm == "uplink":
        run(bench.name, "ip", "link", "set", f"srp{network.id[:11]}", "nomaster")
    else:
        run(bench.name, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")
    observed = await bench.driver().observe()
    assert observed.ports == {}
    assert observed != shown(change)
    await bench.driver().apply(change)
    assert await bench.driver().observe() == shown(change)
    assert bench.guest(port, network.bridge).dhcp()["ip"] == "10.0.0.5"


@pytest_twisted.ensureDeferred
async def test_rebooted_host(bench: LiveBench) -> None:
    """After a reboot the state folder says wired and the kernel has nothing: nothing is observed, all comes back."""
    network = network_of()
    port = port_of(network, 5)
    change = WiringChange(networks=(network,), ports=(port,))
    driver = bench.driver()
    await driver.apply(change)
    os.kill(int((bench.state / "dhcp" / network.id / "pid").read_text()), signal.SIGKILL)
    run("", "ip", "netns", "del", driver.router_namespace(network.id))
    hostnet.remove(bench.host)
    hostnet.prepare(bench.host)
    assert await bench.driver().observe() == ObservedWiring()
    await bench.driver().apply(change)
    assert await bench.driver().observe() == shown(change)


@pytest_twisted.ensureDeferred
async def test_clean_with_a_router_kept_alive(bench: LiveBench) -> None:
    """A socket may keep a router's namespace alive without its name: cleaning still ends the server in it."""
    driver, network = bench.driver(), network_of()
    await driver.apply(WiringChange(networks=(network,)))
    with driver.metadata_socket(network.id):
        run("", "ip", "netns", "del", driver.router_namespace(network.id))
        assert (await driver.observe()).networks == {}
        await bench.driver().clean()
        assert bench.leftovers() == "", "no server runs on"


@pytest_twisted.ensureDeferred
async def test_clean_after_the_host_is_gone(bench: LiveBench) -> None:
    """Cleaning still finds routers and files when the host's namespace was removed before."""
    await bench.driver().apply(WiringChange(networks=(network_of(),)))
    hostnet.remove(bench.host)
    await bench.driver().clean()
    assert f"{bench.name}-r-" not in run("", "ip", "netns", "list")
    assert not bench.state.exists()
    hostnet.prepare(bench.host)


@pytest_twisted.ensureDeferred
async def test_foreign_things_are_left_alone(bench: LiveBench) -> None:
    """Links and tables of others, even with names like ours, survive changes and cleaning."""
    run(bench.name, "ip", "link", "add", "sbrforeign", "type", "bridge")
    run(bench.name, "nft", "add", "table", "inet", "other")
    driver = bench.driver()
    network = network_of()
    await driver.apply(WiringChange(networks=(network,)))
    await driver.clean()
    links = {link["ifname"] for link in json.loads(run(bench.name, "ip", "-j", "link"))}
    assert "sbrforeign" in links and network.bridge not in links
    assert "table inet other" in run(bench.name, "nft", "list", "tables")
    run(bench.name, "ip", "link", "del", "sbrforeign")
    run(bench.name, "nft", "delete", "table", "inet", "other")


@pytest_twisted.ensureDeferred
async def test_a_subnet_over_the_way_outside(bench: LiveBench) -> None:
    """It is refused for good, nothing of it is kept, and other networks are wired as ever."""
    driver, other = bench.driver(), network_of()
    with pytest.raises(errors.PermanentFailure, match="100.64.0.1"):
        await driver.apply(WiringChange(networks=(network_of("100.64.0.0/24", "100.64.0.1"),)))
    await driver.apply(WiringChange(networks=(other,)))
    assert (await driver.observe()).networks == {other.id: 1}


@pytest_twisted.ensureDeferred
async def test_died_half_way(bench: LiveBench) -> None:
    """Whichever command was the last before the worker died: the next one wires all and guests are served, or none.

    Until a router is gone, nobody is told that the floating address it answers for is free.
    """
    network, group = network_of(), group_of(OUT, SSH)
    port = port_of(network, 5, group_ids=(group.id,))
    change = WiringChange(networks=(network,), ports=(port,), groups=(group,), floating_ips=(floating_of(port),))
    floating, router = change.floating_ips[0].id, bench.driver().router_namespace(network.id)
    wanted, nothing = assigned(change), assigned(change, port.id, floating)
    survived = 0
    while await died(bench, wanted, survived):
        assert await recovered(bench, wanted) == shown(change), survived
        guest = bench.guest(port, network.bridge)
        assert guest.dhcp()["ip"] == "10.0.0.5", survived
        guest.remove()
        bench.guests.remove(guest)
        if await died(bench, nothing, survived) and router in run("", "ip", "netns", "list"):
            assert floating in (await bench.driver().observe()).floating_ips, survived
        assert await recovered(bench, nothing) == ObservedWiring(), survived
        assert traces(bench, network) == [], survived
        survived += 1
    assert survived > 5


@pytest_twisted.ensureDeferred
async def test_died_withdrawing_an_address(bench: LiveBench) -> None:
    """Whichever command was the last before the worker died: the next one withdraws the address, or leads it in."""
    network, group = network_of(), group_of(OUT, SSH)
    port = port_of(network, 5, group_ids=(group.id,))
    change = WiringChange(networks=(network,), ports=(port,), groups=(group,), floating_ips=(floating_of(port),))
    wanted, withdrawn = assigned(change), assigned(change, change.floating_ips[0].id)
    await recovered(bench, wanted)
    guest = bench.guest(port, network.bridge)
    guest.address("10.0.0.5")
    survived = 0
    with guest.listen(22):
        while await died(bench, withdrawn, survived):
            assert (await recovered(bench, withdrawn)).floating_ips == {}, survived
            assert connects(bench.outside, FLOATING, 22, 0.2) is None, survived
            await died(bench, wanted, survived)
            assert await recovered(bench, wanted) == shown(change), survived
            assert connects(bench.outside, FLOATING, 22), survived
            survived += 1
    assert survived > 3


@pytest_twisted.ensureDeferred
async def test_failed_beside_another(bench: LiveBench) -> None:
    """A removal that failed because another network could not be wired is not forgotten, and is not held up by it."""
    going, stuck, other = network_of(), network_of(), network_of()
    await bench.driver().apply(WiringChange(networks=(going,)))
    run(bench.name, "ip", "link", "add", stuck.bridge, "type", "veth", "peer", "name", "nobridge")
    driver = bench.driver()
    with pytest.raises(errors.TransientFailure):
        await driver.apply(WiringChange(networks=(stuck,), remove_networks=(going.id,)))
    planned = change_for(AssignedWiring(), await driver.observe())
    assert set(planned.remove_networks) == {going.id, stuck.id}
    await driver.apply(WiringChange(remove_networks=(going.id,)))
    assert traces(bench, going) == []
    await driver.apply(WiringChange(networks=(other,)))
    run(bench.name, "ip", "link", "del", stuck.bridge)
    await driver.apply(WiringChange(networks=(stuck,)))
    assert await bench.driver().observe() == ObservedWiring(networks={stuck.id: 1, other.id: 1})


@pytest.mark.parametrize(("step", "dns"), [("dnsmasq._signal", "192.0.2.53"), ("dnsmasq.Dnsmasq.stop", "192.0.2.99"),
                                           ("driver.announce", "192.0.2.53")])
@pytest_twisted.ensureDeferred
async def test_died_before_others_heard(bench: LiveBench, monkeypatch: pytest.MonkeyPatch, step: str, dns: str) -> None:
    """The rules stand, but the worker died before the server or the link was told: the next one tells them."""
    old = network_of()  # of which the host's own resolver is told, 192.0.2.53
    network = evolve(old, subnets=(evolve(old.subnets[0], dns=(dns,)),))
    port = port_of(network, 6)
    change = WiringChange(networks=(network,), ports=(port,), floating_ips=(floating_of(port),))
    await bench.driver().apply(WiringChange(networks=(old,), ports=(port_of(old, 5),)))

    def die(*_: object) -> None:
        raise OSError("the worker died")

    with monkeypatch.context() as patched:
        patched.setattr(f"stackd.drivers.networks.linuxbridge.{step}", die)
        with pytest.raises((OSError, errors.TransientFailure)):
            await bench.driver().apply(change)
    with listening_to_arp(bench) as heard:
        await recovered(bench, assigned(change))
        assert announced(heard) == FLOATING
    lease = bench.guest(port, network.bridge).dhcp()
    assert (lease["ip"], lease["dns"]) == ("10.0.0.6", dns)


def listening_to_arp(bench: LiveBench) -> socket.socket:
    """Hears every ARP packet that reaches the outside."""
    made = within(bench.outside, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)))
    made.settimeout(2)
    return made


def announced(heard: socket.socket) -> str:
    """The next address that somebody outside is told to be its own."""
    while True:
        frame = heard.recv(100)
        if frame[28:32] == frame[38:42]:
            return socket.inet_ntoa(frame[28:32])
