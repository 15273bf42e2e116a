"""Subnets: validation, pools, and who hears of a change."""

import pytest

from stackd import errors
from stackd.core.networks import Networks
from stackd.core.subnets import Subnets
from stackd.model import kinds
from stackd.model.network_requests import NewNetwork, NewSubnet, SubnetChange
from stackd.model.networks import AddressPool
from stackd.model.quotas import QuotaSet
from stackd.store import ports, quotas
from stackd.testing.projects import Cloud, caller, finish


@pytest.fixture
def cloud():
    """An empty cloud with a host."""
    cloud = Cloud()
    cloud.hosts("h1")
    return cloud


@pytest.fixture
def subnets(cloud):
    """The use cases."""
    return Subnets(cloud.database)


@pytest.fixture
def me(cloud):
    """A member of a project."""
    return caller(cloud.project())


@pytest.fixture
def network(cloud, me):
    """A network of that project."""
    return finish(Networks(cloud.database).create(me, NewNetwork(name="lan")))


def test_a_subnet_takes_the_first_address_as_gateway_and_all_others_as_pool(subnets, me, network):
    made = finish(subnets.create(me, NewSubnet(network_id=network.id, cidr="10.0.0.7/24", name="s")))
    assert (made.cidr, made.gateway_ip) == ("10.0.0.0/24", "10.0.0.1")
    assert made.pools == (AddressPool(start="10.0.0.2", end="10.0.0.254"),)
    assert finish(subnets.get(me, made.id)) == made


def test_an_ipv6_subnet_has_no_broadcast_address(subnets, me, network):
    made = finish(subnets.create(me, NewSubnet(network_id=network.id, cidr="2001:db8:5::/64", ip_version=6)))
    assert made.pools == (AddressPool(start="2001:db8:5::2", end="2001:db8:5:0:ffff:ffff:ffff:ffff"),)


@pytest.mark.parametrize("wrong", [
    {"cidr": "nonsense"}, {"cidr": "10.0.0.0/31"}, {"cidr": "2001:db8::/64"}, {"cidr": "127.0.0.0/8"},
    {"cidr": "2001:db8::/48", "ip_version": 6}, {"gateway_ip": "10.1.0.1"}, {"gateway_ip": "10.0.0.255"},
    {"pools": (AddressPool(start="10.0.0.9", end="10.0.0.5"),)}, {"dns": ("nonsense",)},
    {"pools": (AddressPool(start="10.0.0.1", end="10.0.0.5"),)}, {"dns": ("1.1.1.1", "1.1.1.1")},
    {"pools": (AddressPool(start="10.0.0.5", end="10.0.0.9"), AddressPool(start="10.0.0.9", end="10.0.0.12"))}])
def test_what_cannot_work_is_refused(subnets, me, network, wrong):
    with pytest.raises(errors.InvalidValue):
        finish(subnets.create(me, NewSubnet(**{"network_id": network.id, "cidr": "10.0.0.0/24"} | wrong)))


def test_subnets_of_a_network_do_not_overlap(subnets, me, network):
    finish(subnets.create(me, NewSubnet(network_id=network.id, cidr="10.0.0.0/24")))
    with pytest.raises(errors.InvalidValue):
        finish(subnets.create(me, NewSubnet(network_id=network.id, cidr="10.0.0.128/25")))


def test_a_subnet_in_use_stays_and_counts_its_addresses(cloud, subnets):
    project = cloud.project("demo2")
    me = caller(project)
    port = cloud.instance_port(project)
    id = port.fixed_ips[0].subnet_id
    assert finish(subnets.in_use(me, (id,))) == {id: 1}
    with pytest.raises(errors.InUse):
        finish(subnets.delete(me, id))
    cloud.write(ports.release, [port.device_id])
    finish(subnets.delete(me, id))
    assert id not in {subnet.id for subnet in finish(subnets.list(me))}


def test_new_resolvers_are_told_to_the_hosts_and_a_new_name_is_not(cloud, subnets):
    project = cloud.project("demo2")
    port = cloud.instance_port(project, "h1")
    id = port.fixed_ips[0].subnet_id
    changed = finish(subnets.update(caller(project), id, SubnetChange(dns=("9.9.9.9",))))
    assert changed.dns == ("9.9.9.9",)
    assert (kinds.PORT, port.id) in cloud.stamped["h1"]
    finish(subnets.update(caller(project), id, SubnetChange(name="x")))
    assert cloud.stamped == {}


@pytest.mark.parametrize("use", [
    lambda subnets, who, id: subnets.get(who, id),
    lambda subnets, who, id: subnets.update(who, id, SubnetChange(name="x")),
    lambda subnets, who, id: subnets.delete(who, id)])
def test_a_foreign_subnet_is_not_found(cloud, subnets, me, use):
    other = cloud.default_network(cloud.project("other"))
    with pytest.raises(errors.NotFound):
        finish(use(subnets, me, other.subnet_ids[0]))
    with pytest.raises(errors.NotFound):
        finish(subnets.create(me, NewSubnet(network_id=other.id, cidr="10.0.0.0/24")))


def test_the_quota_counts_subnets(cloud, subnets, me, network):
    cloud.write(quotas.change, me.project_id, QuotaSet(subnets=2))
    with pytest.raises(errors.QuotaExceeded):
        finish(subnets.create(me, NewSubnet(network_id=network.id, cidr="10.0.0.0/24")))
