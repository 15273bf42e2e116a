"""The checks of chaos find nothing in a quiet cloud, and each thing that may be wrong with one."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from stackd.model.addresses import FloatingIP
from stackd.model.groups import SecurityGroup, SecurityGroupRule
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance
from stackd.model.networks import FixedIP, GroupName, PortDesired, WiringState
from stackd.rules.phases import phase_of
from stackd.testing.chaos import checks, promises
from stackd.testing.chaos.fleet import GONE, STOPPED, Address, Fleet, Launch, Server
from stackd.testing.chaos.rows import Rows
from stackd.testing.chaos.worlds import World
from stackd.testing.contracts.network import floating_of, group_of, network_of, port_of, rule
from stackd.testing.records import PROJECT, a_host, a_port, an_instance

Cloud = tuple[Rows, tuple[World, ...], Fleet]
ADDRESS = "10.0.0.5"
OTHER = "9" * 32
ON_HOST: dict[str, Any] = {"used_vcpus": 1, "used_memory_mib": 512, "used_disk_gib": 1, "instances": 1}


def shown(instance: Instance) -> Instance:
    """With the phase that is stored beside it."""
    return evolve(instance, phase=phase_of(instance))


def quiet() -> Cloud:
    """One instance with a port, a floating address and a group, as its client was told, and an empty second host."""
    instance = shown(an_instance(metadata={"launch": "token", "a": "1"}))
    wired_rule: SecurityGroupRule = rule(port_min=22, port_max=22, protocol="tcp", remote_group_id="8" * 32)
    group = SecurityGroup(id="8" * 32, project_id=PROJECT, name="chaos", rules=(wired_rule,))
    port = a_port(observed=WiringState.WIRED, observed_generation=1, groups=(GroupName(id=group.id, name="chaos"),),
                  fixed_ips=(FixedIP(subnet_id="2" * 32, address=ADDRESS),))
    floating = FloatingIP(id="7" * 32, project_id=PROJECT, network_id="3" * 32, address="203.0.113.9", port_id=port.id,
                          fixed_ip=ADDRESS, host="host-1", holder="host-1", observed=WiringState.WIRED,
                          observed_generation=1)
    network = network_of(id=port.network_id)
    wiring = port_of(network, id=port.id, addresses=(ADDRESS,), group_ids=(group.id,))
    rows = Rows(instances={instance.id: instance}, ports=(port,), floating_ips=(floating,), groups=(group,),
                hosts=(a_host("host-1", **ON_HOST), a_host("host-2")), addresses=1)
    busy = World(host="host-1", guests={instance.id: GuestState.RUNNING}, networks=frozenset({network.id}),
                 ports={port.id: wiring}, floating_ips={floating.id: floating_of(wiring, id=floating.id)},
                 groups={group.id: group_of(wired_rule, id=group.id, members={group.id: (ADDRESS,)})})
    idle = World(host="host-2", guests={}, networks=frozenset(), ports={}, floating_ips={}, groups={})
    fleet = Fleet(
        launches=[Launch(token="token", name="web", api="ec2", least=1, most=1, accepted=True, ids=[instance.id])],
        servers=[Server(id=instance.id, api="openstack", labels={"a": {"1"}})],
        addresses=[Address(id=f"eipalloc-{floating.id[:17]}", api="ec2", may_lead={instance.id[:17]})],
        group=group.id, open_ports={22: {True}, 80: {False}})
    return rows, (busy, idle), fleet


def found_in(cloud: Cloud) -> set[str]:
    """The kinds of violations."""
    rows, worlds, fleet = cloud
    return {one.kind for one in (*checks.consistent(rows, worlds), *promises.kept(rows, [fleet]))}


def with_instance(**values: Any) -> Callable[[Cloud], Cloud]:
    """The same cloud with another row of the instance."""
    def change(cloud: Cloud) -> Cloud:
        rows, worlds, fleet = cloud
        return evolve(rows, instances={id: evolve(one, **values) for id, one in rows.instances.items()}), worlds, fleet
    return change


def with_rows(**values: Any) -> Callable[[Cloud], Cloud]:
    """The same cloud with other rows."""
    return lambda cloud: (evolve(cloud[0], **values), cloud[1], cloud[2])


def with_world(number: int, **values: Any) -> Callable[[Cloud], Cloud]:
    """The same cloud with another host."""
    def change(cloud: Cloud) -> Cloud:
        worlds = list(cloud[1])
        worlds[number] = evolve(worlds[number], **values)
        return cloud[0], tuple(worlds), cloud[2]
    return change


def with_fleet(act: Callable[[Fleet], Any]) -> Callable[[Cloud], Cloud]:
    """The same cloud whose client was told something else."""
    def change(cloud: Cloud) -> Cloud:
        act(cloud[2])
        return cloud
    return change


def with_port(**values: Any) -> Callable[[Cloud], Cloud]:
    """The same cloud with another row of the port."""
    return lambda cloud: with_rows(ports=tuple(evolve(port, **values) for port in cloud[0].ports))(cloud)


def with_floating_ip(**values: Any) -> Callable[[Cloud], Cloud]:
    """The same cloud with another row of the floating address."""
    return lambda cloud: with_rows(floating_ips=tuple(
        evolve(one, **values) for one in cloud[0].floating_ips))(cloud)


def test_a_quiet_cloud_violates_nothing() -> None:
    assert found_in(quiet()) == set()


RUNNING = {"d" * 32: GuestState.RUNNING}


@pytest.mark.parametrize(("kind", "change"), [
    ("unsettled", with_instance(generation=2)),
    ("unsettled", with_port(generation=2)),
    ("in-transition", with_instance(desired=InstanceDesired.STOPPED)),
    ("phase-stale", with_instance(observed=ObservedInstance(state=GuestState.PAUSED, generation=1))),
    ("reboots", with_instance(reboots=1)),
    ("host-counts", with_rows(hosts=(a_host("host-1"),))),
    ("host-counts", with_rows(hosts=(a_host("host-1", **{**ON_HOST, "used_disk_gib": 2}),))),
    ("host-down", with_rows(hosts=(a_host("host-1", silent=("compute",), **ON_HOST),))),
    ("guest-differs", with_world(0, guests={})),
    ("guest-differs", with_world(0, guests={"d" * 32: GuestState.STOPPED})),
    ("guest-without-row", with_world(1, guests={OTHER: GuestState.RUNNING})),
    ("guest-without-row", with_instance(ended_at=200.0)),
    ("guest-doubled", with_world(1, guests=RUNNING)),
    ("guest-elsewhere", with_instance(host="host-2")),
    ("port-leaked", with_port(desired=PortDesired.DELETED)),
    ("port-outlives", with_port(device_id=OTHER)),
    ("ports-of-instance", with_rows(ports=())),
    ("wiring-missing", with_world(0, ports={})),
    ("wiring-left", with_rows(ports=())),
    ("floating-ip-leaked", with_floating_ip(deleted=True)),
    ("floating-ip-missing", with_world(0, floating_ips={})),
    ("floating-ip-left", with_floating_ip(port_id="", host="")),
    ("floating-ip-astray", with_floating_ip(fixed_ip="10.0.0.6")),
    ("group-missing", with_world(0, groups={})),
    ("stray", with_world(1, strays=frozenset({"tap0123"}))),
    ("group-stale", with_world(0, groups={"8" * 32: group_of(id="8" * 32)})),
    ("members-stale", with_port(fixed_ips=(FixedIP(subnet_id="2" * 32, address="10.0.0.6"),))),
    ("stranger", with_fleet(lambda fleet: fleet.launches.clear())),
    ("launch", with_instance(metadata={})),
    ("launch", with_fleet(lambda fleet: fleet.launches[0].ids.append(OTHER))),
    ("lost", with_fleet(lambda fleet: fleet.servers.append(Server(id=OTHER, api="ec2")))),
    ("state", with_fleet(lambda fleet: fleet.servers.append(Server(id="d" * 32, api="ec2", may_be={STOPPED, GONE})))),
    ("reboot-lost", with_fleet(lambda fleet: fleet.servers.append(Server(id="d" * 32, api="ec2", reboots=1)))),
    ("label", with_fleet(lambda fleet: fleet.servers[0].labels.update(a={"2"}))),
    ("address-lost", with_rows(floating_ips=())),
    ("address-leads", with_fleet(lambda fleet: fleet.addresses[0].may_lead.clear())),
    ("rules", with_fleet(lambda fleet: fleet.open_ports.update({80: {True}}))),
])
def test_what_is_wrong_is_found(kind: str, change: Callable[[Cloud], Cloud]) -> None:
    assert kind in found_in(change(quiet()))


def test_an_address_wired_on_two_hosts_is_found() -> None:
    rows, (busy, idle), fleet = quiet()
    twice = {"6" * 32: evolve(next(iter(busy.ports.values())), id="6" * 32)}
    assert "address-twice" in found_in((rows, (busy, evolve(idle, ports=twice)), fleet))


def test_nothing_may_be_left_in_an_emptied_cloud() -> None:
    rows, worlds, _ = quiet()
    assert {one.kind for one in checks.empty(rows, worlds)} == {
        "instance-left", "port-left", "floating-ip-left", "addresses-left", "host-used", "guests-on-host",
        "ports-on-host", "floating_ips-on-host", "networks-on-host", "groups-on-host"}
    ended = shown(an_instance(desired=InstanceDesired.DELETED, ended_at=200.0))
    bare = Rows(instances={ended.id: ended}, ports=(), floating_ips=(), groups=rows.groups, hosts=(a_host(),),
                addresses=0)
    assert not list(checks.empty(bare, worlds[1:]))


@pytest.mark.parametrize(("launch", "right"), [
    (Launch("t", "n", "ec2", 1, 3, accepted=True, ids=["a", "b"]), {2}),
    (Launch("t", "n", "ec2", 1, 3, accepted=False), {0}),
    (Launch("t", "n", "openstack", 2, 3, certain=False), {0, 2, 3}),
])
def test_a_launch_explains_as_many_instances_as_its_client_was_told(launch: Launch, right: set[int]) -> None:
    assert {number for number in range(5) if launch.explains(number)} == right
