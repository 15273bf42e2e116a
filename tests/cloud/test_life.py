"""The life of instances in the whole cloud, on a Clock: what a user sees, and what is left behind."""

from typing import Any

import pytest

from stackd import errors
from stackd.drivers.hypervisors.fake import FakeOptions
from stackd.model import ids
from stackd.model.faults import Steady, Transition
from stackd.model.groups import Direction, RuleRequest
from stackd.model.hosts import HostCapacity
from stackd.model.instances import (
    GuestState,
    Instance,
    InstanceQuery,
    LaunchRequest,
    OnLaunchFault,
    RebootKind,
)
from stackd.model.networks import Port
from stackd.model.paging import PageRequest
from stackd.testing.cloud import MemoryCloud


@pytest.fixture
def cloud() -> MemoryCloud:
    """A running cloud of two hosts."""
    return MemoryCloud().start()


def launch(cloud: MemoryCloud, **fields: Any) -> list[Instance]:
    """Launch tiny instances; they are not running yet."""
    request = LaunchRequest(**{"image_id": cloud.image.id, "flavor_id": "t2.nano", "name": "web", **fields})
    made = cloud.run(cloud.core.instances.launch(cloud.caller, request))
    return [view.instance for view in made.instances]


def running(cloud: MemoryCloud, **fields: Any) -> str:
    """The id of an instance that runs."""
    id = launch(cloud, **fields)[0].id
    reach(cloud, id, Steady.ACTIVE)
    return id


def reach(cloud: MemoryCloud, id: str, steady: Steady, patience: float = 60.0) -> None:
    """Wait until the instance rests in this state."""
    cloud.until(lambda: phase(cloud, id) == (steady, Transition.NONE), patience)


def phase(cloud: MemoryCloud, id: str) -> tuple[Steady, Transition]:
    """Where the instance stands."""
    found = cloud.row(id).phase
    assert found is not None
    return found.steady, found.transition


def guest(cloud: MemoryCloud, id: str) -> GuestState:
    """What really runs on the instance's host."""
    return cloud.host(cloud.row(id).host).guests.look(id).state


def port(cloud: MemoryCloud, id: str) -> Port:
    """The instance's first port."""
    return cloud.run(cloud.core.instances.get(cloud.caller, id)).ports[0]


def test_a_launch_runs_wired_with_an_address(cloud: MemoryCloud) -> None:
    id = running(cloud)
    assert guest(cloud, id) is GuestState.RUNNING
    mine = port(cloud, id)
    assert mine.fixed_ips[0].address.startswith("172.31.")
    assert mine.id in cloud.host(mine.host).wiring.ports


def test_terminating_leaves_nothing(cloud: MemoryCloud) -> None:
    id = running(cloud)
    mine = port(cloud, id)
    host = cloud.host(mine.host)
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    reach(cloud, id, Steady.DELETED)
    cloud.advance(10)
    assert host.guests.guests == {}
    assert host.wiring.ports == {}
    assert cloud.run(cloud.core.ports.list(cloud.caller)) == ()
    assert [one.instances for one in cloud.run(cloud.core.hosts.list(cloud.admin))] == [0, 0]
    with pytest.raises(errors.NotFound):
        cloud.run(cloud.core.instances.get(cloud.caller, id))


def test_what_ended_is_told_for_an_hour_and_then_purged(cloud: MemoryCloud) -> None:
    id = running(cloud)
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    reach(cloud, id, Steady.DELETED)
    told = cloud.run(cloud.core.instances.list(
        cloud.caller, InstanceQuery(ended_since=cloud.clock.seconds() - 3600), PageRequest()))
    assert [view.instance.id for view in told] == [id]
    cloud.advance(4000)
    with pytest.raises(KeyError):
        cloud.row(id)


def test_stop_and_start(cloud: MemoryCloud) -> None:
    id = running(cloud)
    cloud.run(cloud.core.instances.stop(cloud.caller, [id]))
    reach(cloud, id, Steady.STOPPED)
    assert guest(cloud, id) is GuestState.STOPPED
    cloud.run(cloud.core.instances.start(cloud.caller, [id]))
    reach(cloud, id, Steady.ACTIVE)
    assert guest(cloud, id) is GuestState.RUNNING


@pytest.mark.parametrize("kind", RebootKind)
def test_a_reboot_boots_once_more(cloud: MemoryCloud, kind: RebootKind) -> None:
    id = running(cloud)
    cloud.run(cloud.core.instances.reboot(cloud.caller, [id], kind))
    reach(cloud, id, Steady.ACTIVE)
    console = cloud.run(cloud.core.instances.console_output(cloud.caller, id)).decode()
    assert console.count("tiny: ready") == 2


def test_a_guest_deaf_to_acpi_is_cut_off_after_its_grace() -> None:
    cloud = MemoryCloud(options=FakeOptions(shutdown_seconds=None)).start()
    id = running(cloud)
    cloud.run(cloud.core.instances.stop(cloud.caller, [id]))
    cloud.advance(55)
    assert phase(cloud, id) == (Steady.ACTIVE, Transition.POWERING_OFF)
    reach(cloud, id, Steady.STOPPED)


def test_a_guest_that_powers_itself_off_stays_off(cloud: MemoryCloud) -> None:
    id = running(cloud)
    cloud.host(cloud.row(id).host).guests.stop(id)
    reach(cloud, id, Steady.STOPPED)
    cloud.advance(30)
    assert guest(cloud, id) is GuestState.STOPPED


def test_a_floating_address_follows_its_instance(cloud: MemoryCloud) -> None:
    id = running(cloud)
    floating = cloud.run(cloud.core.addresses.allocate(cloud.caller))
    mine = port(cloud, id)
    cloud.run(cloud.core.addresses.associate(cloud.caller, floating.id, mine.id))
    wiring = cloud.host(mine.host).wiring
    cloud.until(lambda: floating.id in wiring.floating_ips)
    assert port(cloud, id).fixed_ips[0].floating_ip == floating.address
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    cloud.until(lambda: floating.id not in wiring.floating_ips)
    assert cloud.run(cloud.core.addresses.get(cloud.caller, floating.id)).port_id == ""


def test_group_rules_reach_the_guest(cloud: MemoryCloud) -> None:
    id = running(cloud)
    mine = port(cloud, id)
    wiring = cloud.host(mine.host).wiring
    assert not wiring.lets_in(mine.id, "198.51.100.7", "tcp", 22)
    cloud.run(cloud.core.groups.add_rules(cloud.caller, mine.groups[0].id, [
        RuleRequest(direction=Direction.INGRESS, protocol="tcp", port_min=22, port_max=22)]))
    cloud.until(lambda: wiring.lets_in(mine.id, "198.51.100.7", "tcp", 22))
    assert not wiring.lets_in(mine.id, "198.51.100.7", "tcp", 23)


def test_members_of_a_group_reach_each_other_across_hosts(cloud: MemoryCloud) -> None:
    one, two = (running(cloud, name=name, zone=zone) for name, zone in (("a", "us-east-1a"), ("b", "us-east-1b")))
    first, second = port(cloud, one), port(cloud, two)
    assert first.host != second.host
    wiring = cloud.host(second.host).wiring
    cloud.until(lambda: wiring.lets_in(second.id, first.fixed_ips[0].address, "tcp", 80))
    cloud.run(cloud.core.instances.terminate(cloud.caller, [one]))
    cloud.until(lambda: not wiring.lets_in(second.id, first.fixed_ips[0].address, "tcp", 80))


def test_guests_of_a_network_reach_each_other_across_hosts(cloud: MemoryCloud) -> None:
    one, two = (running(cloud, name=name, zone=zone) for name, zone in (("a", "us-east-1a"), ("b", "us-east-1b")))
    first, second = port(cloud, one), port(cloud, two)
    here, there = cloud.host(first.host).wiring, cloud.host(second.host).wiring
    cloud.until(lambda: here.reaches(first.id, there, second.id) and there.reaches(second.id, here, first.id))
    third = running(cloud, name="c", zone="us-east-1b")
    cloud.run(cloud.core.instances.terminate(cloud.caller, [two]))
    reach(cloud, two, Steady.DELETED)
    cloud.advance(5)
    assert here.reaches(first.id, there, port(cloud, third).id), "one more of the network is still there"
    cloud.run(cloud.core.instances.terminate(cloud.caller, [third]))
    reach(cloud, third, Steady.DELETED)
    cloud.until(lambda: here.networks[first.network_id].peers == ())


def test_tenants_do_not_learn_of_each_others_hosts(cloud: MemoryCloud) -> None:
    project = cloud.run(cloud.identity.projects.create(cloud.admin, "other"))
    mine = port(cloud, running(cloud, zone="us-east-1a"))
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", name="b", zone="us-east-1b")
    made = cloud.run(cloud.core.instances.launch(cloud.stranger(project), request))
    reach(cloud, made.instances[0].instance.id, Steady.ACTIVE)
    cloud.advance(5)
    worlds = [host.wiring for host in cloud.hosts]
    assert [network.peers for world in worlds for network in world.networks.values()] == [(), ()]
    assert mine.network_id in worlds[0].networks


def test_no_room_is_a_fault_that_says_why() -> None:
    small = FakeOptions(capacity=HostCapacity(vcpus=64, memory_mib=256, disk_gib=100))
    cloud = MemoryCloud(options=small).start()
    id = launch(cloud)[0].id
    cloud.advance(50)
    assert phase(cloud, id) == (Steady.BUILDING, Transition.SCHEDULING)
    reach(cloud, id, Steady.ERROR, 30)
    fault = cloud.row(id).fault
    assert fault is not None
    assert "of 2 hosts, memory refused 2" in fault.message
    assert "needs 512 MiB of memory, has 256 free" in fault.message


def test_no_room_ends_a_launch_that_asked_for_it() -> None:
    cloud = MemoryCloud(options=FakeOptions(capacity=HostCapacity(vcpus=1, memory_mib=64, disk_gib=1))).start()
    id = launch(cloud, on_launch_fault=OnLaunchFault.TERMINATE)[0].id
    reach(cloud, id, Steady.DELETED, 90)
    assert cloud.run(cloud.core.ports.list(cloud.caller)) == ()


def test_freed_room_is_given_to_who_waits() -> None:
    cloud = MemoryCloud(hosts=1, options=FakeOptions(
        capacity=HostCapacity(vcpus=1, memory_mib=4096, disk_gib=100))).start()
    first = running(cloud)
    second = launch(cloud)[0].id
    cloud.advance(5)
    assert phase(cloud, second)[1] is Transition.SCHEDULING
    cloud.run(cloud.core.instances.terminate(cloud.caller, [first]))
    reach(cloud, second, Steady.ACTIVE)


def test_the_same_client_token_launches_once(cloud: MemoryCloud) -> None:
    first = launch(cloud, client_token="t", request_hash="h", max_count=2)
    assert [one.id for one in launch(cloud, client_token="t", request_hash="h", max_count=2)] == \
        [one.id for one in first]
    with pytest.raises(errors.TokenReused):
        launch(cloud, client_token="t", request_hash="other")


def test_a_client_token_whose_instances_are_purged_is_spent(cloud: MemoryCloud) -> None:
    id = running(cloud, client_token="t", request_hash="h")
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    reach(cloud, id, Steady.DELETED)
    assert [one.id for one in launch(cloud, client_token="t", request_hash="h")] == [id]
    cloud.advance(4000)
    with pytest.raises(errors.TokenSpent, match="new client token"):
        launch(cloud, client_token="t", request_hash="h")
    with pytest.raises(errors.TokenReused):
        launch(cloud, client_token="t", request_hash="other")


def test_a_dry_run_changes_nothing(cloud: MemoryCloud) -> None:
    with pytest.raises(errors.DryRunSucceeded):
        launch(cloud, dry_run=True)
    assert len(cloud.run(cloud.core.instances.list(cloud.caller, InstanceQuery(), PageRequest()))) == 0
    assert cloud.run(cloud.core.ports.list(cloud.caller)) == ()


def test_another_project_sees_nothing(cloud: MemoryCloud) -> None:
    id = running(cloud)
    project = cloud.run(cloud.identity.projects.create(cloud.admin, "other"))
    stranger = cloud.stranger(project)
    for attempt in (cloud.core.instances.get(stranger, id), cloud.core.instances.terminate(stranger, [id]),
                    cloud.core.instances.stop(stranger, [id]), cloud.core.instances.console_output(stranger, id),
                    cloud.core.instances.set_metadata(stranger, id, {"a": "b"})):
        with pytest.raises(errors.NotFound):
            cloud.run(attempt)
    assert len(cloud.run(cloud.core.instances.list(stranger, InstanceQuery(), PageRequest()))) == 0


def test_quota_counts_what_is_there(cloud: MemoryCloud) -> None:
    cloud.run(cloud.core.quotas.change(cloud.admin, cloud.caller.project_id, {"instances": 2}))
    ids = [one.id for one in launch(cloud, max_count=5)]
    assert len(ids) == 2
    with pytest.raises(errors.QuotaExceeded):
        launch(cloud)
    reach(cloud, ids[0], Steady.ACTIVE)
    cloud.run(cloud.core.instances.terminate(cloud.caller, [ids[0]]))
    reach(cloud, ids[0], Steady.DELETED)
    assert len(launch(cloud)) == 1


def test_deleting_on_a_host_that_is_gone_frees_the_user_at_once_and_the_address_when_it_comes_back(
        cloud: MemoryCloud) -> None:
    cloud.run(cloud.core.quotas.change(cloud.admin, cloud.caller.project_id, {"instances": 1}))
    id = running(cloud)
    mine = port(cloud, id)
    host = cloud.host(mine.host)
    for worker in ("compute", "network"):
        cloud.kill(f"{worker}@{host.name}")
    cloud.advance(5)
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    reach(cloud, id, Steady.DELETED, 90)
    assert len(launch(cloud)) == 1
    assert id in host.guests.guests
    assert mine.id in {one.id for one in cloud.run(cloud.core.ports.list(cloud.caller))}
    for worker in ("compute", "network"):
        cloud.build(f"{worker}@{host.name}")
    cloud.until(lambda: id not in host.guests.guests and mine.id not in host.wiring.ports)
    cloud.until(lambda: mine.id not in {one.id for one in cloud.run(cloud.core.ports.list(cloud.caller))})


def test_a_host_that_is_gone_gets_no_new_instances(cloud: MemoryCloud) -> None:
    cloud.kill("compute@host-1")
    cloud.advance(70)
    for _ in range(4):
        assert cloud.row(running(cloud)).host == "host-2"


def test_the_ports_of_a_launch_count() -> None:
    cloud = MemoryCloud().start()
    cloud.run(cloud.core.quotas.change(cloud.admin, cloud.caller.project_id, {"ports": 3}))
    assert len(launch(cloud, max_count=5)) == 3
    with pytest.raises(errors.QuotaExceeded, match="ports"):
        launch(cloud)


def test_groups_are_named_by_name_or_by_id_in_either_form(cloud: MemoryCloud) -> None:
    made = cloud.run(cloud.core.groups.create(cloud.caller, "web", "for the web"))
    for ref in ("web", made.id, ids.dashed(made.id)):
        id = launch(cloud, group_ids=(ref,))[0].id
        assert [group.id for group in port(cloud, id).groups] == [made.id]
    with pytest.raises(errors.NotFound):
        launch(cloud, group_ids=("no-such-group",))
