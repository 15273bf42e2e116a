"""Floating addresses: allocated, led to ports, and handed from host to host without two ever answering."""

import pytest
from attrs import evolve

from stackd import errors
from stackd.model import kinds
from stackd.model.addresses import FloatingIP
from stackd.model.assignments import FetchRequest, FloatingReport, Version
from stackd.model.ids import new_id
from stackd.model.networks import WiringState
from stackd.store import addresses, assigned, ports, wirings
from stackd.testing.projects import Cloud


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
def public(cloud):
    """Its external network, with five addresses."""
    return cloud.public("203.0.113.0/29")


@pytest.fixture
def floating(cloud, project, public):
    """An address of the project that leads to nothing."""
    return allocate(cloud, project, public)


def allocate(cloud, project, public, address=None):
    """A new address."""
    return cloud.write(addresses.allocate, FloatingIP(
        id=new_id(), project_id=project.id, network_id=public.id, address=""), address)


def lead(cloud, floating, port):
    """Lead the address to the port."""
    present = cloud.read(addresses.get, floating.id)
    host = cloud.read(ports.get, port.id).host
    cloud.write(addresses.lead, present, port.id, port.fixed_ips[0].address, host)


def told(cloud, host, floating):
    """What a host is to do: the wiring, or None for nothing."""
    return cloud.read(wirings.floating_assignments, host, [floating.id])[0].wiring


def report(cloud, host, floating, state, mark=(1, 1)):
    """The host reports for the present generation."""
    row = cloud.read(addresses.of_ids, [floating.id])[0]
    cloud.write(addresses.observed, host, [FloatingReport(
        id=floating.id, observed=state, generation=row.generation)], mark)


def test_addresses_come_from_the_pool_until_it_is_empty(cloud, project, public):
    assert {allocate(cloud, project, public).address for _ in range(5)} == {f"203.0.113.{n}" for n in range(2, 7)}
    with pytest.raises(errors.NoMoreAddresses):
        allocate(cloud, project, public)


def test_an_address_may_be_asked_for_while_it_is_free(cloud, project, public):
    assert allocate(cloud, project, public, "203.0.113.4").address == "203.0.113.4"
    with pytest.raises(errors.AddressInUse):
        allocate(cloud, project, public, "203.0.113.4")
    with pytest.raises(errors.InvalidValue):
        allocate(cloud, project, public, "203.0.113.1")


def test_an_address_is_led_to_a_port_and_shown_beside_it(cloud, project, floating):
    port = cloud.instance_port(project, "h1")
    lead(cloud, floating, port)
    assert (kinds.FLOATING_IP, floating.id) in cloud.stamped["h1"]
    assert told(cloud, "h1", floating).fixed_ip == port.fixed_ips[0].address
    assert cloud.read(ports.get, port.id).fixed_ips[0].floating_ip == floating.address
    assert cloud.read(addresses.get, floating.id).instance_id == port.device_id


def test_an_address_led_to_an_unplaced_port_follows_it(cloud, project, floating):
    port = cloud.instance_port(project)
    lead(cloud, floating, port)
    assert told(cloud, "h1", floating) is None
    cloud.write(ports.place, {port.device_id: "h1"})
    assert told(cloud, "h1", floating)


def test_the_next_host_waits_until_the_holder_withdrew(cloud, project, floating):
    first, second = cloud.instance_port(project, "h1"), cloud.instance_port(project, "h2")
    lead(cloud, floating, first)
    report(cloud, "h1", floating, WiringState.WIRED)
    lead(cloud, floating, second)
    assert told(cloud, "h1", floating) is None
    assert told(cloud, "h2", floating) is None
    report(cloud, "h2", floating, WiringState.ABSENT)
    assert told(cloud, "h2", floating) is None
    report(cloud, "h1", floating, WiringState.ABSENT)
    assert told(cloud, "h2", floating).port_id == second.id
    assert (kinds.FLOATING_IP, floating.id) in cloud.stamped["h2"]


def test_reports_count_for_the_host_that_holds_the_address(cloud, project, floating):
    """An old word undoes nothing; the next holder's worker may have been started less often than the last one's."""
    first, second = cloud.instance_port(project, "h1"), cloud.instance_port(project, "h2")
    lead(cloud, floating, first)
    report(cloud, "h1", floating, WiringState.WIRED, (7, 9))
    report(cloud, "h1", floating, WiringState.ABSENT, (7, 8))
    assert cloud.read(addresses.get, floating.id).observed is WiringState.WIRED
    lead(cloud, floating, second)
    report(cloud, "h1", floating, WiringState.ABSENT, (7, 10))
    report(cloud, "h2", floating, WiringState.WIRED, (2, 1))
    assert cloud.read(addresses.get, floating.id).observed is WiringState.WIRED


def test_an_old_absence_does_not_hand_the_address_over(cloud, project, floating):
    first, second = cloud.instance_port(project, "h1"), cloud.instance_port(project, "h2")
    lead(cloud, floating, first)
    before = cloud.read(addresses.get, floating.id).generation
    lead(cloud, floating, second)
    cloud.write(addresses.observed, "h1", [FloatingReport(
        id=floating.id, observed=WiringState.ABSENT, generation=before)], (1, 1))
    assert told(cloud, "h2", floating) is None


def test_an_address_moved_away_and_back_stays_with_its_holder(cloud, project, floating):
    first, second = cloud.instance_port(project, "h1"), cloud.instance_port(project, "h2")
    lead(cloud, floating, first)
    lead(cloud, floating, second)
    lead(cloud, floating, first)
    assert told(cloud, "h1", floating)
    assert told(cloud, "h2", floating) is None


def test_a_released_address_is_gone_for_the_user_and_kept_until_withdrawn(cloud, project, public, floating):
    lead(cloud, floating, cloud.instance_port(project, "h1"))
    cloud.write(addresses.release, cloud.read(addresses.get, floating.id))
    with pytest.raises(errors.NotFound):
        cloud.read(addresses.get, floating.id)
    assert cloud.read(addresses.count, project.id) == 0
    with pytest.raises(errors.AddressInUse):
        allocate(cloud, project, public, floating.address)
    assert cloud.read(wirings.all_of_host, "h1")[1] == (floating.id,)
    report(cloud, "h1", floating, WiringState.ABSENT)
    assert allocate(cloud, project, public, floating.address).address == floating.address


def test_an_address_that_no_host_holds_is_released_at_once(cloud, project, public, floating):
    cloud.write(addresses.release, floating)
    assert allocate(cloud, project, public, floating.address).address == floating.address


def test_the_end_of_an_instance_frees_its_address(cloud, project, floating):
    port = cloud.instance_port(project, "h1")
    lead(cloud, floating, port)
    cloud.write(ports.release, [port.device_id])
    left = cloud.read(addresses.get, floating.id)
    assert (left.port_id, left.fixed_ip, left.host, left.instance_id) == ("", "", "", "")
    assert told(cloud, "h1", floating) is None


def test_who_answers_and_should_not_is_told_to_withdraw(cloud, project, floating):
    """After a restored backup a host may have what went to it later; what nobody knows it keeps."""
    port = cloud.instance_port(project, "h1")
    lead(cloud, floating, port)
    fetch = FetchRequest(host="h2", worker="network", session=1, known=Version(incarnation="now"),
                         held=(floating.id, port.id, new_id()))
    cloud.write(assigned.wrongly_held, fetch)
    answer = cloud.read(assigned.fetch, fetch, "now")
    assert [(one.id, one.wiring) for one in (*answer.floating_ips, *answer.ports)] == [
        (floating.id, None), (port.id, None)]
    assert told(cloud, "h1", floating) is not None
    cloud.write(assigned.wrongly_held, evolve(fetch, host="h1"))
    assert cloud.read(assigned.fetch, evolve(fetch, host="h1"), "now").ports[0].wiring is not None
