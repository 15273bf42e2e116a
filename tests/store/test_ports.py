"""Ports over their life: made with addresses, placed, seen, released; and what each host is told."""

import time

import pytest
from attrs import evolve
from sqlalchemy import event, func, select

from stackd import errors
from stackd.model import kinds
from stackd.model.assignments import FloatingReport, PortReport
from stackd.model.faults import Fault, FaultCode
from stackd.model.groups import SecurityGroup
from stackd.model.ids import new_id
from stackd.model.networks import Network, PortDesired, Subnet, WiringState
from stackd.rules import addressing, firewalls
from stackd.store import addresses, groups, networks, ports, subnets, wirings
from stackd.store.ports import PortAsk
from stackd.store.tables.networks import port_addresses
from stackd.testing.projects import Cloud


@pytest.fixture
def cloud():
    """An empty cloud with two hosts."""
    cloud = Cloud()
    cloud.hosts("h1", "h2", "h3")
    return cloud


def statements(cloud, fn, *args):
    """The result of a transaction, and how many statements it sent."""
    seen = []

    def listen(*each):
        seen.append(each[2])

    event.listen(cloud.database.engine, "before_cursor_execute", listen)
    result = cloud.write(fn, *args)
    event.remove(cloud.database.engine, "before_cursor_execute", listen)
    return result, [one for one in seen if not one.startswith(("BEGIN", "COMMIT"))]


def used(cloud):
    """How many fixed addresses are taken."""
    return cloud.read(lambda tx: tx.execute(select(func.count()).select_from(port_addresses)).scalar_one())


def asks(cloud, project, count, **more):
    """Asks for ports of as many new instances."""
    network = cloud.default_network(project)
    group = cloud.default_group(project)
    return [PortAsk(project_id=project.id, network_id=network.id, group_ids=(group.id,), device_id=new_id(), **more)
            for _ in range(count)]


def test_a_port_gets_the_first_free_address_after_the_gateway(cloud):
    port = cloud.instance_port(cloud.project(), zone="us-east-1a")
    assert [one.address for one in port.fixed_ips] == ["172.31.0.2"]
    assert port.mac.startswith("fa:16:3e:")


def test_a_port_without_a_zone_gets_an_address_of_the_first_one(cloud):
    assert [cloud.instance_port(cloud.project()).fixed_ips[0].address for _ in range(3)] == ["172.31.0.2"] * 3


def test_a_port_is_put_into_the_subnet_of_its_zone(cloud):
    port = cloud.instance_port(cloud.project(), zone="us-east-1b")
    assert port.fixed_ips[0].address == "172.31.16.2"


def test_many_ports_take_few_statements_and_differ(cloud):
    project = cloud.project()
    made, sent = statements(cloud, ports.create, asks(cloud, project, 300, zone="us-east-1a"))
    assert len({port.fixed_ips[0].address for port in made}) == len({port.mac for port in made}) == 300
    assert len(sent) <= 9, sent


def test_hardware_addresses_drawn_twice_cost_no_statement(cloud):
    """Of 16 million, some 7 of 15,000 are drawn twice."""
    project = cloud.project()
    network = cloud.write(networks.add, _network(project.id))
    cloud.write(subnets.add, [_subnet(network, "10.0.0.0/16")])
    made, sent = statements(cloud, ports.create, [PortAsk(project_id=project.id, network_id=network.id)] * 15_000)
    assert len({port.mac for port in made}) == 15_000
    assert sum("SELECT ports.mac" in each for each in sent) == 1


def test_two_ports_made_at_once_do_not_get_the_hardware_address_asked_for(cloud):
    project = cloud.project()
    alike = [evolve(ask, mac="fa:16:3e:00:00:01") for ask in asks(cloud, project, 2)]
    with pytest.raises(errors.AlreadyExists, match="fa:16:3e:00:00:01"):
        cloud.write(ports.create, alike)
    assert used(cloud) == 0


def test_a_port_made_is_a_port_found(cloud):
    project = cloud.project()
    made = cloud.write(ports.create, asks(cloud, project, 1))[0]
    assert cloud.read(ports.of_devices, [made.device_id]) == {made.device_id: (made,)}
    assert made.groups[0].name == "default"


def test_three_statements_find_the_ports_of_any_number_of_devices(cloud):
    project = cloud.project()
    made = cloud.write(ports.create, asks(cloud, project, 1000))
    begun = time.perf_counter()
    found, sent = statements(cloud, ports.of_devices, [port.device_id for port in made])
    assert len(found) == 1000
    assert len(sent) == 3
    assert time.perf_counter() - begun < 2


def test_picking_stays_cheap_when_thousands_are_in_use(cloud):
    project = cloud.project()
    for _ in range(4):
        cloud.write(ports.create, asks(cloud, project, 1000, zone="us-east-1a"))
    made, sent = statements(cloud, ports.create, asks(cloud, project, 1, zone="us-east-1a"))
    assert made[0].fixed_ips[0].address == "172.31.15.162"
    assert len(sent) <= 9, sent


def test_a_full_zone_overflows_into_the_next_subnet_and_a_full_network_refuses(cloud):
    project = cloud.project()
    network = cloud.write(networks.add, _network(project.id))
    cloud.write(subnets.add, [_subnet(network, "10.0.0.0/29", "a"), _subnet(network, "10.0.1.0/29", "b")])
    for _ in range(10):
        cloud.instance_port(project, network_id=network.id, zone="a")
    assert used(cloud) == 10
    with pytest.raises(errors.NoMoreAddresses):
        cloud.instance_port(project, network_id=network.id, zone="a")


def test_a_freed_address_is_found_again_when_the_subnet_is_full(cloud):
    project = cloud.project()
    network = cloud.write(networks.add, _network(project.id))
    cloud.write(subnets.add, [_subnet(network, "10.0.0.0/29")])
    made = [cloud.instance_port(project, network_id=network.id) for _ in range(5)]
    cloud.write(ports.release, [made[2].device_id])
    again = cloud.instance_port(project, network_id=network.id)
    assert again.fixed_ips[0].address == made[2].fixed_ips[0].address


def test_an_ipv6_subnet_gives_the_address_a_guest_will_give_itself(cloud):
    project = cloud.project()
    network = cloud.write(networks.add, _network(project.id))
    cloud.write(subnets.add, [_subnet(network, "10.0.0.0/24"), _subnet(network, "2001:db8:1::/64")])
    port = cloud.instance_port(project, network_id=network.id)
    assert [one.address for one in port.fixed_ips] == [
        "10.0.0.2", addressing.slaac_address("2001:db8:1::/64", port.mac)]


@pytest.mark.parametrize("address, error", [
    ("172.31.0.9", errors.AddressInUse), ("172.31.0.1", errors.InvalidValue), ("9.9.9.9", errors.InvalidValue),
    ("nonsense", errors.InvalidValue), ("2001:db8::9", errors.InvalidValue), ("172.31.15.255", errors.InvalidValue)])
def test_an_address_asked_for_must_be_free_and_of_the_subnet(cloud, address, error):
    project = cloud.project()
    assert cloud.instance_port(project, fixed_ip="172.31.0.9").fixed_ips[0].address == "172.31.0.9"
    with pytest.raises(error):
        cloud.instance_port(project, fixed_ip=address)


def test_a_foreign_group_is_not_found(cloud):
    project, other = cloud.project(), cloud.project("other")
    with pytest.raises(errors.NotFound):
        cloud.instance_port(project, group_ids=(cloud.default_group(other).id,))


def test_placing_tells_the_host_of_port_and_groups(cloud):
    project = cloud.project()
    port = cloud.write(ports.create, asks(cloud, project, 1))[0]
    cloud.write(ports.place, {port.device_id: "h1"})
    assert {kind for kind, _ in cloud.stamped["h1"]} == {kinds.PORT, kinds.SECURITY_GROUP}
    assert cloud.read(ports.get, port.id).host == "h1"


def test_placing_many_takes_a_constant_number_of_statements(cloud):
    project = cloud.project()
    made = cloud.write(ports.create, asks(cloud, project, 200))
    _, few = statements(cloud, ports.place, {made[0].device_id: "h1"})
    _, many = statements(cloud, ports.place, {port.device_id: "h2" for port in made[1:]})
    assert len(many) == len(few)


def test_a_new_member_is_told_to_the_hosts_whose_rules_refer_to_its_group(cloud):
    project = cloud.project()
    first, second = cloud.write(ports.create, asks(cloud, project, 2))
    cloud.write(ports.place, {first.device_id: "h1"})
    before = cloud.default_group(project).generation
    cloud.write(ports.place, {second.device_id: "h2"})
    assert set(cloud.stamped) == {"h2"}
    cloud.write(groups.tell_members)
    group = cloud.default_group(project)
    assert (kinds.SECURITY_GROUP, group.id) in cloud.stamped["h1"]
    assert group.generation > before
    wiring = cloud.read(wirings.group_wirings, [group.id])[0]
    assert set(wiring.members[group.id]) == {first.fixed_ips[0].address, second.fixed_ips[0].address}


def test_members_that_left_are_no_longer_told(cloud):
    project = cloud.project()
    group = cloud.default_group(project)
    first, second = (cloud.instance_port(project, host, group_ids=(group.id,)) for host in ("h1", "h2"))
    assert len(cloud.read(wirings.group_wirings, [group.id])[0].members[group.id]) == 2
    cloud.write(ports.release, [second.device_id])
    cloud.write(groups.tell_members)
    assert (kinds.SECURITY_GROUP, group.id) in cloud.stamped["h1"]
    told = cloud.read(wirings.group_wirings, [group.id, new_id()])
    assert [wiring.members[group.id] for wiring in told] == [(first.fixed_ips[0].address,)]
    assert told[0].generation == cloud.default_group(project).generation


def test_a_group_nothing_refers_to_disturbs_no_other_host(cloud):
    project = cloud.project()
    id = new_id()
    cloud.write(groups.add, SecurityGroup(
        id=id, project_id=project.id, name="web",
        rules=firewalls.default_rules(id, project.id, new_id, 0.0, from_itself=False)))
    cloud.instance_port(project, "h1", group_ids=(id,))
    cloud.instance_port(project, "h2", group_ids=(id,))
    assert "h1" not in cloud.stamped


def test_a_wired_port_completes_its_device_once(cloud):
    port = cloud.instance_port(cloud.project(), "h1")
    generation = cloud.read(ports.get, port.id).generation
    report = [PortReport(id=port.id, observed=WiringState.WIRED, generation=generation)]
    assert cloud.write(ports.observed, "h1", report, (1, 1)) == {port.device_id}
    assert cloud.write(ports.observed, "h1", report, (1, 1)) == set()
    assert cloud.read(ports.get, port.id).observed is WiringState.WIRED
    assert cloud.write(ports.observed, "h2", [PortReport(
        id=port.id, observed=WiringState.ABSENT, generation=generation)], (1, 1)) == set()


def test_a_report_that_comes_again_behind_a_newer_one_undoes_nothing(cloud):
    port = cloud.instance_port(cloud.project(), "h1")
    generation = cloud.read(ports.get, port.id).generation
    failed = [PortReport(id=port.id, observed=WiringState.ABSENT, generation=generation, fault=Fault(
        code=FaultCode.NETWORK, generation=generation, message="no room"))]
    wired = [PortReport(id=port.id, observed=WiringState.WIRED, generation=generation)]
    cloud.write(ports.observed, "h1", failed, (1, 3))
    cloud.write(ports.observed, "h1", wired, (1, 4))
    cloud.write(ports.observed, "h1", wired, (2, 1))
    for mark in ((1, 3), (1, 4)):
        assert cloud.write(ports.observed, "h1", failed, mark) == set()
    seen = cloud.read(ports.get, port.id)
    assert (seen.observed, seen.fault) == (WiringState.WIRED, None)


def test_a_released_port_keeps_its_address_until_its_host_saw_it_gone(cloud):
    project = cloud.project()
    port = cloud.instance_port(project, "h1", zone="us-east-1a")
    cloud.write(ports.release, [port.device_id])
    assert (kinds.PORT, port.id) in cloud.stamped["h1"]
    assert cloud.read(ports.of_devices, [port.device_id]) == {}
    told = cloud.read(wirings.port_assignments, "h1", [port.id])[0]
    assert told.wiring is None
    # A look from before the deletion says nothing about it.
    cloud.write(ports.observed, "h1", [PortReport(
        id=port.id, observed=WiringState.ABSENT, generation=told.generation - 1)], (1, 1))
    assert used(cloud) == 1
    cloud.write(ports.observed, "h1", [PortReport(
        id=port.id, observed=WiringState.ABSENT, generation=told.generation)], (1, 1))
    assert used(cloud) == 0
    assert cloud.read(wirings.port_assignments, "h1", [port.id]) == ()


def test_releasing_twice_is_releasing_once(cloud):
    port = cloud.instance_port(cloud.project(), "h1")
    cloud.write(ports.release, [port.device_id])
    generation = cloud.read(ports.of_ids, [port.id])[0].generation
    cloud.write(ports.release, [port.device_id])
    after = cloud.read(ports.of_ids, [port.id])[0]
    assert (after.generation, after.desired) == (generation, PortDesired.DELETED)


def test_a_port_that_never_had_a_host_goes_at_once(cloud):
    port = cloud.instance_port(cloud.project())
    cloud.write(ports.release, [port.device_id])
    assert used(cloud) == 0


def test_a_users_own_port_is_borrowed_and_given_back(cloud):
    project = cloud.project()
    port = cloud.write(ports.create, [PortAsk(project_id=project.id, network_id=cloud.default_network(project).id)])[0]
    device = new_id()
    cloud.write(ports.adopt, project.id, port.id, device, 0, "compute:a")
    with pytest.raises(errors.InUse):
        cloud.write(ports.adopt, project.id, port.id, new_id(), 0, "compute:a")
    cloud.write(ports.place, {device: "h1"})
    cloud.write(ports.release, [device])
    left = cloud.read(ports.get, port.id)
    assert (left.device_id, left.host, left.fixed_ips) == ("", "", port.fixed_ips)
    assert cloud.read(wirings.port_assignments, "h1", [port.id])[0].wiring is None
    with pytest.raises(errors.NotFound):
        cloud.write(ports.adopt, new_id(), port.id, device, 0, "")


def test_a_full_fetch_names_everything_of_a_host(cloud):
    project = cloud.project()
    group = cloud.default_group(project)
    port = cloud.instance_port(project, "h1", group_ids=(group.id,), hostname="web-1")
    assert cloud.read(wirings.all_of_host, "h1") == ((port.id,), (), (group.id,))
    assert cloud.read(wirings.all_of_host, "h2") == ((), (), ())
    assignment = cloud.read(wirings.port_assignments, "h1", [port.id])[0]
    assert assignment.wiring.addresses == (port.fixed_ips[0].address,)
    assert assignment.wiring.hostname == "web-1"
    assert len(assignment.network.subnets) == 2
    assert assignment.network.segment > 0


def test_reports_of_unknown_things_are_ignored(cloud):
    assert cloud.write(ports.observed, "h1", [PortReport(
        id=new_id(), observed=WiringState.WIRED, generation=1)], (1, 1)) == set()
    cloud.write(addresses.observed, "h1", [FloatingReport(
        id=new_id(), observed=WiringState.WIRED, generation=1)], (1, 1))
    assert cloud.read(wirings.all_of_host, "h1") == ((), (), ())


def _network(project_id):
    return Network(id=new_id(), project_id=project_id, name="n")


def _subnet(network, cidr, zone=""):
    gateway = addressing.first_address(cidr)
    return Subnet(id=new_id(), project_id=network.project_id, network_id=network.id, name="", cidr=cidr,
                  ip_version=addressing.version(cidr), gateway_ip=gateway, zone=zone,
                  pools=addressing.default_pools(cidr, gateway), created_at=float(ord(zone or "z")))
