"""Floating addresses as users take, lead and release them."""

import pytest
from sqlalchemy import update

from stackd import errors
from stackd.core.addresses import FloatingIPs
from stackd.model.callers import ADMIN
from stackd.model.quotas import QuotaSet
from stackd.store import events, quotas
from stackd.store.tables.networks import networks as table
from stackd.testing.projects import Cloud, caller, finish


@pytest.fixture
def cloud():
    """An empty cloud with an external network and a host."""
    cloud = Cloud()
    cloud.hosts("h1")
    cloud.public()
    return cloud


@pytest.fixture
def project(cloud):
    """A project of it."""
    return cloud.project()


@pytest.fixture
def addresses(cloud):
    """The use cases."""
    return FloatingIPs(cloud.database)


def test_an_address_lives_from_allocation_to_release(cloud, addresses, project):
    me, port = caller(project), cloud.instance_port(project, "h1")
    made = finish(addresses.allocate(me, description="web"))
    assert made.address == "203.0.113.2"
    led = finish(addresses.associate(me, made.id, port.id))
    assert (led.port_id, led.fixed_ip, led.instance_id) == (port.id, port.fixed_ips[0].address, port.device_id)
    assert finish(addresses.disassociate(me, made.id)).port_id == ""
    finish(addresses.release(me, made.id))
    assert finish(addresses.list(me)) == ()
    assert [each.action for each in cloud.read(events.of_resource, made.id)] == [
        "delete", "disassociate", "associate", "create"]


def test_associating_twice_is_associating_once(cloud, addresses, project):
    me, port = caller(project), cloud.instance_port(project, "h1")
    made = finish(addresses.allocate(me, port_id=port.id))
    assert finish(addresses.associate(me, made.id, port.id)) == made
    assert cloud.stamped == {}


def test_an_associated_address_is_led_elsewhere_only_where_that_is_allowed(cloud, addresses, project):
    me, first, second = caller(project), cloud.instance_port(project), cloud.instance_port(project)
    made = finish(addresses.allocate(me, port_id=first.id))
    with pytest.raises(errors.InUse):
        finish(addresses.associate(me, made.id, second.id, allow_reassociation=False))
    assert finish(addresses.associate(me, made.id, second.id)).port_id == second.id


def test_a_fixed_address_has_one_public_address_and_ec2_displaces_it(cloud, addresses, project):
    me, port = caller(project), cloud.instance_port(project)
    first = finish(addresses.allocate(me, port_id=port.id))
    second = finish(addresses.allocate(me))
    with pytest.raises(errors.InUse):
        finish(addresses.associate(me, second.id, port.id))
    finish(addresses.associate(me, second.id, port.id, displace=True))
    assert finish(addresses.get(me, first.id)).port_id == ""


def test_the_fixed_address_must_be_the_ports(cloud, addresses, project):
    me, port = caller(project), cloud.instance_port(project)
    made = finish(addresses.allocate(me))
    with pytest.raises(errors.InvalidValue):
        finish(addresses.associate(me, made.id, port.id, fixed_ip="172.31.0.250"))


def test_a_failed_association_allocates_nothing(cloud, addresses, project):
    other = cloud.instance_port(cloud.project("other"))
    with pytest.raises(errors.NotFound):
        finish(addresses.allocate(caller(project), port_id=other.id))
    assert finish(addresses.list(caller(project))) == ()


def test_addresses_come_from_external_networks_only(cloud, addresses, project):
    with pytest.raises(errors.InvalidValue):
        finish(addresses.allocate(caller(project), network_id=cloud.default_network(project).id))
    with pytest.raises(errors.NotFound):
        finish(FloatingIPs(Cloud().database).allocate(caller(project)))


def test_only_admins_choose_the_address(addresses, project):
    with pytest.raises(errors.NotAllowed):
        finish(addresses.allocate(caller(project), address="203.0.113.77"))
    assert finish(addresses.allocate(caller(project, ADMIN), address="203.0.113.77")).address == "203.0.113.77"


@pytest.mark.parametrize("use", [
    lambda addresses, who, id: addresses.get(who, id),
    lambda addresses, who, id: addresses.associate(who, id, "0" * 32),
    lambda addresses, who, id: addresses.disassociate(who, id),
    lambda addresses, who, id: addresses.describe(who, id, "x"),
    lambda addresses, who, id: addresses.release(who, id)])
def test_a_foreign_address_is_not_found(cloud, addresses, project, use):
    made = finish(addresses.allocate(caller(cloud.project("other"))))
    with pytest.raises(errors.NotFound):
        finish(use(addresses, caller(project), made.id))
    assert finish(addresses.list(caller(project), ids=(made.id,))) == ()


def test_a_foreign_port_is_not_found(cloud, addresses, project):
    made = finish(addresses.allocate(caller(project)))
    with pytest.raises(errors.NotFound):
        finish(addresses.associate(caller(project), made.id, cloud.instance_port(cloud.project("other")).id))


def test_the_quota_counts_addresses(cloud, addresses, project):
    cloud.write(quotas.change, project.id, QuotaSet(floating_ips=1))
    made = finish(addresses.allocate(caller(project)))
    with pytest.raises(errors.QuotaExceeded):
        finish(addresses.allocate(caller(project)))
    finish(addresses.release(caller(project), made.id))
    assert finish(addresses.allocate(caller(project))).id != made.id


def test_an_address_does_not_lead_to_a_physical_network(cloud, addresses, project):
    made = finish(addresses.allocate(caller(project)))
    network = cloud.default_network(project)
    port = cloud.instance_port(project)
    with cloud.database.engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == network.id).values(physical_network="blue", vlan=0))
    with pytest.raises(errors.InvalidValue, match="physical network"):
        finish(addresses.associate(caller(project), made.id, port.id))
