"""Networks: who sees and changes which, quotas, and what deletion waits for."""

import pytest

from stackd import errors
from stackd.core.networks import Networks
from stackd.core.subnets import Subnets
from stackd.model import kinds
from stackd.model.assignments import PortReport
from stackd.model.callers import ADMIN, READER
from stackd.model.network_requests import NetworkChange, NewNetwork, NewSubnet
from stackd.model.networks import NetworkType, Underlay, WiringState
from stackd.model.quotas import QuotaSet
from stackd.store import events, ports, quotas, wirings
from stackd.testing.projects import Cloud, caller, finish


@pytest.fixture
def cloud():
    """An empty cloud with a host."""
    cloud = Cloud()
    cloud.hosts("h1")
    return cloud


@pytest.fixture
def networks(cloud):
    """The use cases."""
    return Networks(cloud.database)


def test_a_network_is_made_listed_changed_and_deleted(cloud, networks):
    me = caller(cloud.project())
    made = finish(networks.create(me, NewNetwork(name="lan", description="mine")))
    assert made in finish(networks.list(me))
    assert finish(networks.update(me, made.id, NetworkChange(name="wan"))).name == "wan"
    finish(networks.delete(me, made.id))
    with pytest.raises(errors.NotFound):
        finish(networks.get(me, made.id))
    assert [each.action for each in cloud.read(events.of_resource, made.id)] == ["delete", "update", "create"]


def test_each_network_has_a_segment_of_its_own(cloud, networks):
    me = caller(cloud.project())
    segments = {finish(networks.create(me, NewNetwork())).segment for _ in range(20)}
    assert len(segments) == 20
    assert all(0 < segment < 2**24 for segment in segments)


UNDERLAY = Underlay(mtu=9000, vlans={"blue": (100, 102), "red": (0, 0)})
VLAN, FLAT, VXLAN = NetworkType.VLAN, NetworkType.FLAT, NetworkType.VXLAN


def grounded(cloud, **wanted):
    """A network of an administrator on this ground."""
    admin = caller(cloud.project("admin"), ADMIN)
    return finish(Networks(cloud.database, UNDERLAY).create(admin, NewNetwork(**wanted)))


def test_vlans_are_given_out_until_none_is_left_and_again_when_one_is_free(cloud):
    made = [grounded(cloud, type=VLAN, physical_network="blue") for _ in range(3)]
    assert [(one.segment, one.type, one.physical_network) for one in made] == [
        (100, VLAN, "blue"), (101, VLAN, "blue"), (102, VLAN, "blue")]
    with pytest.raises(errors.SegmentInUse, match="All VLANs 100 to 102"):
        grounded(cloud, type=VLAN, physical_network="blue")
    assert grounded(cloud, type=VLAN, physical_network="blue", segment=7).segment == 7
    finish(Networks(cloud.database).delete(caller(cloud.project("other"), ADMIN), made[1].id))
    assert grounded(cloud, type=VLAN, physical_network="blue").segment == 101
    assert grounded(cloud, type=VLAN, physical_network="red", segment=101).segment == 101


def test_a_vlan_or_an_interface_has_one_network(cloud):
    assert grounded(cloud, type=FLAT, physical_network="blue").segment == 0
    grounded(cloud, type=FLAT, physical_network="red")
    grounded(cloud, type=VLAN, physical_network="red", segment=5)
    grounded(cloud, type=VXLAN, segment=5)
    for wanted in ({"type": FLAT, "physical_network": "red"}, {"type": VXLAN, "segment": 5},
                   {"type": VLAN, "physical_network": "red", "segment": 5}):
        with pytest.raises(errors.SegmentInUse):
            grounded(cloud, **wanted)


@pytest.mark.parametrize("wanted", [
    {"type": VLAN}, {"type": VLAN, "physical_network": "green"}, {"type": VLAN, "physical_network": "red"},
    {"type": VLAN, "physical_network": "red", "segment": 4095}, {"type": VLAN, "physical_network": "red", "segment": 0},
    {"type": FLAT, "physical_network": "red", "segment": 5}, {"type": FLAT}, {"physical_network": "red"},
    {"segment": 2**24}, {"type": VXLAN, "segment": -1}, {"type": FLAT, "physical_network": "red", "external": True},
    {"type": FLAT, "physical_network": "red", "mtu": 9001}])
def test_a_ground_that_cannot_be_is_refused(cloud, wanted):
    with pytest.raises(errors.BadRequest):
        grounded(cloud, **wanted)


def test_the_ground_is_for_administrators(cloud):
    me = caller(cloud.project())
    for wanted in ({"type": VXLAN}, {"physical_network": "red"}, {"segment": 5}):
        with pytest.raises(errors.NotAllowed):
            finish(Networks(cloud.database, UNDERLAY).create(me, NewNetwork(**wanted)))


def test_packets_are_as_large_as_the_ground_carries(cloud):
    assert grounded(cloud).mtu == 8950
    on_blue = grounded(cloud, type=VLAN, physical_network="blue")
    assert on_blue.mtu == 9000
    admin = caller(cloud.project("boss"), ADMIN)
    with pytest.raises(errors.InvalidValue, match="not between 576 and 1500"):
        finish(Networks(cloud.database).update(admin, on_blue.id, NetworkChange(mtu=9000)))


@pytest.mark.parametrize("use", [
    lambda networks, who, id: networks.get(who, id),
    lambda networks, who, id: networks.update(who, id, NetworkChange(name="x")),
    lambda networks, who, id: networks.delete(who, id)])
def test_a_foreign_network_is_not_found(cloud, networks, use):
    mine = cloud.default_network(cloud.project())
    with pytest.raises(errors.NotFound):
        finish(use(networks, caller(cloud.project("other")), mine.id))
    assert cloud.default_network(cloud.project("third")).id != mine.id


def test_shared_and_external_networks_are_seen_by_all_and_changed_by_their_owner(cloud, networks):
    admin, me = caller(cloud.project("admin"), ADMIN), caller(cloud.project())
    shared = finish(networks.create(admin, NewNetwork(name="all", shared=True)))
    public = cloud.public()
    assert {shared.id, public.id} < {network.id for network in finish(networks.list(me))}
    with pytest.raises(errors.NotAllowed):
        finish(networks.delete(me, shared.id))


def test_members_make_no_shared_networks_and_readers_none(cloud, networks):
    project = cloud.project()
    with pytest.raises(errors.NotAllowed):
        finish(networks.create(caller(project), NewNetwork(shared=True)))
    with pytest.raises(errors.NotAllowed):
        finish(networks.create(caller(project, READER), NewNetwork()))
    with pytest.raises(errors.NotAllowed):
        finish(networks.create(caller(project), NewNetwork(project_id=cloud.project("other").id)))


def test_the_quota_counts_networks(cloud, networks):
    project = cloud.project()
    cloud.write(quotas.change, project.id, QuotaSet(networks=2))
    finish(networks.create(caller(project), NewNetwork()))
    with pytest.raises(errors.QuotaExceeded) as refused:
        finish(networks.create(caller(project), NewNetwork()))
    assert (refused.value.limit, refused.value.used) == (2, 2)


def test_a_network_in_use_stays(cloud, networks):
    project = cloud.project()
    port = cloud.instance_port(project)
    with pytest.raises(errors.InUse):
        finish(networks.delete(caller(project), port.network_id))


def test_a_network_whose_last_ports_are_being_unwired_can_be_deleted(cloud, networks):
    project = cloud.project()
    port = cloud.instance_port(project, "h1")
    cloud.write(ports.release, [port.device_id])
    finish(networks.delete(caller(project), port.network_id))
    assert finish(networks.list(caller(project))) == ()
    row = cloud.read(ports.of_ids, [port.id])[0]
    cloud.write(ports.observed, "h1", [PortReport(
        id=port.id, observed=WiringState.ABSENT, generation=row.generation)], (1, 1))
    assert cloud.read(ports.of_ids, [port.id]) == []


def test_a_network_that_is_switched_off_is_told_to_the_hosts(cloud, networks):
    project = cloud.project()
    port = cloud.instance_port(project, "h1")
    before = cloud.read(wirings.port_assignments, "h1", [port.id])[0].network
    finish(networks.update(caller(project), port.network_id, NetworkChange(admin_state_up=False)))
    assert (kinds.PORT, port.id) in cloud.stamped["h1"]
    told = cloud.read(wirings.port_assignments, "h1", [port.id])[0].network
    assert (before.admin_state_up, told.admin_state_up) == (True, False)
    assert told.generation > before.generation


def test_a_new_mtu_is_told_to_the_hosts(cloud, networks):
    project = cloud.project()
    port = cloud.instance_port(project, "h1")
    finish(networks.update(caller(project, ADMIN), port.network_id, NetworkChange(mtu=1400)))
    assert (kinds.PORT, port.id) in cloud.stamped["h1"]


def test_a_shared_network_others_use_stays_shared(cloud, networks):
    admin = caller(cloud.project("admin"), ADMIN)
    shared = finish(networks.create(admin, NewNetwork(shared=True)))
    finish(networks.update(admin, shared.id, NetworkChange(shared=False)))
    finish(networks.update(admin, shared.id, NetworkChange(shared=True)))
    finish(Subnets(cloud.database).create(admin, NewSubnet(network_id=shared.id, cidr="10.9.0.0/24")))
    cloud.instance_port(cloud.project(), network_id=shared.id)
    with pytest.raises(errors.InUse):
        finish(networks.update(admin, shared.id, NetworkChange(shared=False)))
