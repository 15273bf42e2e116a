"""The fake network passes the contract of all, and answers what a user of security groups would notice."""

import time
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve

from stackd.drivers.networks.fake import FakeNetwork, FakeNetworkWorld
from stackd.model.groups import Direction
from stackd.model.wirings import WiringChange
from stackd.testing.contracts.network import (
    NetworkContract,
    floating_of,
    group_of,
    network_of,
    port_of,
    rule,
)

OUTSIDE = "198.51.100.7"


class FakeBench:
    """A host in memory."""

    def __init__(self) -> None:
        self.world = FakeNetworkWorld()

    def driver(self) -> FakeNetwork:
        """A new driver over the same world."""
        return FakeNetwork(self.world)


@pytest.fixture
def bench() -> FakeBench:
    """An empty host."""
    return FakeBench()


class KeptBench:
    """A host in a folder; every driver knows of the others only what stands there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def driver(self) -> FakeNetwork:
        """A new driver, as in a new process."""
        return FakeNetwork(folder=self.folder)


class TestKeptNetwork(NetworkContract):
    """The contract over the fake whose world is kept in a folder."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> KeptBench:
        return KeptBench(tmp_path / "host")


class TestFakeNetwork(NetworkContract):
    """The suite of every network driver."""


@pytest.mark.parametrize(("fields", "protocol", "port", "expected"), [
    ({}, "tcp", 22, True),
    ({"protocol": "tcp"}, "tcp", 65535, True),
    ({"protocol": "tcp"}, "udp", 53, False),
    ({"protocol": "tcp", "port_min": 22, "port_max": 23}, "tcp", 23, True),
    ({"protocol": "tcp", "port_min": 22, "port_max": 23}, "tcp", 24, False),
    ({"protocol": "icmp"}, "icmp", 0, True),
    ({"remote_cidr": "198.51.100.0/24"}, "tcp", 22, True),
    ({"remote_cidr": "192.0.2.0/24"}, "tcp", 22, False),
    ({"ethertype": "IPv6"}, "tcp", 22, False),
    ({"direction": Direction.EGRESS}, "tcp", 22, False),
])
@pytest_twisted.ensureDeferred
async def test_rules_from_outside(bench: FakeBench, fields: dict, protocol: str, port: int, expected: bool) -> None:
    """Each part of a rule decides what a floating address lets in."""
    network = network_of()
    group = group_of(rule(**fields))
    guest = port_of(network, group_ids=(group.id,))
    await bench.driver().apply(WiringChange(networks=(network,), groups=(group,), ports=(guest,),
                                            floating_ips=(floating_of(guest),)))
    assert bench.world.passes(OUTSIDE, "203.0.113.10", protocol, port) is expected


@pytest_twisted.ensureDeferred
async def test_group_source_follows_members(bench: FakeBench) -> None:
    """A rule by group lets in its members, and a new member as soon as the group's wiring names it."""
    network = network_of()
    out = rule(Direction.EGRESS)
    friends = group_of(out)
    group = group_of(rule(remote_group_id=friends.id), members={friends.id: ("10.0.0.6",)})
    guest = port_of(network, 5, group_ids=(group.id,))
    member, late = port_of(network, 6, group_ids=(friends.id,)), port_of(network, 7, group_ids=(friends.id,))
    await bench.driver().apply(WiringChange(networks=(network,), groups=(group, friends), ports=(guest, member, late)))
    assert bench.world.passes(member.id, guest.id)
    assert not bench.world.passes(late.id, guest.id)
    wider = group_of(*group.rules, members={friends.id: ("10.0.0.6", "10.0.0.7")}, id=group.id, generation=2)
    await bench.driver().apply(WiringChange(groups=(wider,)))
    assert bench.world.passes(late.id, guest.id)
    assert not bench.world.passes(guest.id, member.id), "the guest's own group has no rule for leaving"


@pytest_twisted.ensureDeferred
async def test_no_groups_and_no_security(bench: FakeBench) -> None:
    """Without groups nothing passes; without port security everything does; networks are apart."""
    one, other = network_of(), network_of()
    closed, open_, stranger = port_of(one, 5), port_of(one, 6, port_security=False), \
        port_of(other, 7, port_security=False)
    await bench.driver().apply(WiringChange(networks=(one, other), ports=(closed, open_, stranger)))
    world = bench.world
    assert not world.passes(open_.id, closed.id) and not world.passes(closed.id, open_.id)
    assert world.lets_in(open_.id, OUTSIDE) and world.lets_out(open_.id, OUTSIDE)
    assert not world.lets_in(closed.id, OUTSIDE) and not world.lets_out(closed.id, OUTSIDE)
    assert not world.passes(stranger.id, open_.id)


@pytest_twisted.ensureDeferred
async def test_many_ports_are_cheap(bench: FakeBench) -> None:
    """Ten thousand ports, one change each, cost well below a second of processor time."""
    network = network_of("10.0.0.0/8")
    driver = bench.driver()
    await driver.apply(WiringChange(networks=(network,)))
    ports = [port_of(network, 5) for _ in range(10_000)]
    before = time.process_time()
    for port in ports:
        await driver.apply(WiringChange(ports=(port,)))
    assert time.process_time() - before < 2
    assert len((await driver.observe()).ports) == 10_000


@pytest_twisted.ensureDeferred
async def test_across_hosts() -> None:
    """Ports of one network reach each other when both hosts know the other's tunnel and the groups let them."""
    here, there = FakeNetworkWorld(tunnel_address="10.77.0.1"), FakeNetworkWorld(tunnel_address="10.77.0.2")
    network, other = network_of(), network_of()
    group = group_of(rule(Direction.EGRESS), rule(protocol="tcp", port_min=22, port_max=22))
    one, two = port_of(network, 5, group_ids=(group.id,)), port_of(network, 6, group_ids=(group.id,))
    stranger = port_of(other, 7, group_ids=(group.id,))
    await FakeNetwork(here).apply(WiringChange(
        networks=(evolve(network, peers=("10.77.0.2",)),), ports=(one,), groups=(group,)))
    await FakeNetwork(there).apply(WiringChange(networks=(network, evolve(other, peers=("10.77.0.1",))),
                                                ports=(two, stranger), groups=(group,)))
    assert not here.reaches(one.id, there, two.id), "the answer would not find back"
    await FakeNetwork(there).apply(WiringChange(networks=(evolve(network, peers=("10.77.0.1",)),)))
    assert here.reaches(one.id, there, two.id) and there.reaches(two.id, here, one.id)
    assert not here.reaches(one.id, there, two.id, "tcp", 80)
    assert not here.reaches(one.id, there, stranger.id)
