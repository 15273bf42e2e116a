"""Ports users make themselves, and those of instances they may look at."""

import pytest

from stackd import errors
from stackd.core.groups import SecurityGroups
from stackd.core.networks import Networks
from stackd.core.ports import Ports
from stackd.model import kinds
from stackd.model.callers import ADMIN
from stackd.model.ids import new_id
from stackd.model.network_requests import NetworkChange, NewPort, PortChange
from stackd.model.quotas import QuotaSet
from stackd.store import groups, quotas, wirings
from stackd.testing.projects import Cloud, caller, finish


@pytest.fixture
def cloud():
    """An empty cloud with two hosts."""
    cloud = Cloud()
    cloud.hosts("h1", "h2")
    return cloud


@pytest.fixture
def project(cloud):
    """A project of it."""
    return cloud.project()


@pytest.fixture
def ports(cloud):
    """The use cases."""
    return Ports(cloud.database)


def make(cloud, ports, project, **more):
    """A port of the project's default network."""
    return finish(ports.create(caller(project), NewPort(network_id=cloud.default_network(project).id, **more)))[0]


def test_a_port_is_made_in_the_default_group(cloud, ports, project):
    port = make(cloud, ports, project, name="p")
    assert [group.name for group in port.groups] == ["default"]
    assert finish(ports.list(caller(project))) == (port,)
    finish(ports.delete(caller(project), port.id))
    assert finish(ports.list(caller(project))) == ()


def test_many_ports_are_made_or_none(cloud, ports, project):
    network_id = cloud.default_network(project).id
    with pytest.raises(errors.AddressInUse):
        finish(ports.create(caller(project), *(
            NewPort(network_id=network_id, fixed_ip="172.31.0.7") for _ in range(2))))
    assert finish(ports.list(caller(project))) == ()


def test_a_port_of_an_instance_is_not_deleted_nor_given_away(cloud, ports, project):
    port = cloud.instance_port(project, "h1")
    with pytest.raises(errors.InUse):
        finish(ports.delete(caller(project), port.id))
    with pytest.raises(errors.InUse):
        finish(ports.update(caller(project), port.id, PortChange(device_id="")))


def test_nobody_pushes_a_port_into_an_instance(cloud, ports, project):
    with pytest.raises(errors.InvalidValue):
        make(cloud, ports, project, device_id=new_id())
    port = make(cloud, ports, project, device_id="my-router")
    with pytest.raises(errors.InvalidValue):
        finish(ports.update(caller(project), port.id, PortChange(device_id=new_id())))


def test_without_port_security_there_are_no_groups(cloud, ports, project):
    port = make(cloud, ports, project, port_security=False)
    assert port.groups == ()
    group = cloud.default_group(project)
    with pytest.raises(errors.ConflictingValues):
        finish(ports.update(caller(project), port.id, PortChange(group_ids=(group.id,))))
    with pytest.raises(errors.ConflictingValues):
        make(cloud, ports, project, port_security=False, group_ids=(group.id,))


def test_port_security_is_switched_off_by_the_owner_of_the_network_or_an_admin(cloud, ports, project):
    network_id = cloud.default_network(project).id
    admin, guest = caller(project, ADMIN), caller(cloud.project("other"))
    finish(Networks(cloud.database).update(admin, network_id, NetworkChange(shared=True)))
    with pytest.raises(errors.NotAllowed):
        finish(ports.create(guest, NewPort(network_id=network_id, port_security=False)))
    port = finish(ports.create(guest, NewPort(network_id=network_id)))[0]
    off, named = PortChange(group_ids=(), port_security=False), PortChange(name="x", port_security=False)
    with pytest.raises(errors.NotAllowed):
        finish(ports.update(guest, port.id, off))
    assert finish(ports.get(guest, port.id)).port_security
    finish(ports.update(admin, port.id, off))
    assert finish(ports.update(guest, port.id, named)).name == "x", "nothing is switched off"
    own = make(cloud, ports, project)
    assert not finish(ports.update(caller(project), own.id, off)).port_security


def test_a_port_that_is_switched_off_is_told_to_its_host(cloud, ports, project):
    port = cloud.instance_port(project, "h1")
    finish(ports.update(caller(project), port.id, PortChange(admin_state_up=False)))
    assert (kinds.PORT, port.id) in cloud.stamped["h1"]
    told = cloud.read(wirings.port_assignments, "h1", [port.id])[0].wiring
    assert not told.admin_state_up
    assert told.generation > port.generation


def test_new_groups_of_a_port_are_told_to_its_host_and_to_those_who_refer_to_them(cloud, ports, project):
    default = cloud.default_group(project)
    web = finish(SecurityGroups(cloud.database).create(caller(project), "web"))
    port = cloud.instance_port(project, "h1", group_ids=(default.id,))
    cloud.instance_port(project, "h2", group_ids=(default.id,))
    changed = finish(ports.update(caller(project), port.id, PortChange(group_ids=(web.id,))))
    assert [group.name for group in changed.groups] == ["web"]
    assert {(kinds.PORT, port.id), (kinds.SECURITY_GROUP, web.id)} <= cloud.stamped["h1"]
    cloud.write(groups.tell_members)
    assert (kinds.SECURITY_GROUP, default.id) in cloud.stamped["h2"]
    members = cloud.read(wirings.group_wirings, [default.id])[0].members[default.id]
    assert port.fixed_ips[0].address not in members


def test_external_networks_take_no_ports(cloud, ports, project):
    with pytest.raises(errors.NotSupported):
        finish(ports.create(caller(project), NewPort(network_id=cloud.public().id)))


def test_only_admins_choose_hardware_addresses(cloud, ports, project):
    network_id = cloud.default_network(project).id
    with pytest.raises(errors.NotAllowed):
        make(cloud, ports, project, mac="fa:16:3e:00:00:01")
    admin = caller(project, ADMIN)
    port = finish(ports.create(admin, NewPort(network_id=network_id, mac="fa:16:3e:00:00:01")))[0]
    assert port.mac == "fa:16:3e:00:00:01"
    for mac, error in (("fa:16:3e:00:00:01", errors.AlreadyExists), ("01:00:5e:00:00:01", errors.InvalidValue)):
        with pytest.raises(error):
            finish(ports.create(admin, NewPort(network_id=network_id, mac=mac)))


@pytest.mark.parametrize("use", [
    lambda ports, who, id: ports.get(who, id),
    lambda ports, who, id: ports.update(who, id, PortChange(name="x")),
    lambda ports, who, id: ports.delete(who, id)])
def test_a_foreign_port_is_not_found(cloud, ports, project, use):
    port = make(cloud, ports, cloud.project("other"))
    with pytest.raises(errors.NotFound):
        finish(use(ports, caller(project), port.id))
    assert finish(ports.list(caller(project), ids=(port.id,))) == ()
    assert finish(ports.list(caller(project, ADMIN), all_projects=True)) == (port,)


def test_a_port_on_a_foreign_network_or_group_is_refused(cloud, ports, project):
    other = cloud.project("other")
    with pytest.raises(errors.NotFound):
        finish(ports.create(caller(project), NewPort(network_id=cloud.default_network(other).id)))
    with pytest.raises(errors.NotFound):
        make(cloud, ports, project, group_ids=(cloud.default_group(other).id,))


def test_the_quota_counts_ports(cloud, ports, project):
    cloud.write(quotas.change, project.id, QuotaSet(ports=1))
    make(cloud, ports, project)
    with pytest.raises(errors.QuotaExceeded):
        make(cloud, ports, project)
