"""Hosts that burned down and were removed by force: what users get back, and when nothing is taken for gone."""

from typing import Any

import pytest

from stackd import errors
from stackd.daemons.hostusers import HostUsers
from stackd.model.faults import Steady
from stackd.model.instances import LaunchRequest, NetworkRequest
from stackd.model.network_requests import NewNetwork, NewPort, NewSubnet
from stackd.model.networks import Port
from stackd.store import fencing
from stackd.testing.cloud import MemoryCloud

GONE = 60.0
DEAD, LEFT = "host-1", "host-2"
ZONE_OF = {DEAD: "us-east-1a", LEFT: "us-east-1b"}


@pytest.fixture
def cloud() -> MemoryCloud:
    """A running cloud of two hosts, which run nothing yet."""
    return MemoryCloud().start()


def running(cloud: MemoryCloud, host: str = DEAD, *, port_id: str | None = None, network_id: str | None = None) -> str:
    """The id of an instance that runs on this host, on its project's default network unless one is named."""
    networks = (NetworkRequest(port_id=port_id, network_id=network_id),) if port_id or network_id else None
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", name="web", zone=ZONE_OF[host],
                            networks=networks)
    id = cloud.run(cloud.core.instances.launch(cloud.caller, request)).instances[0].instance.id
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)
    assert cloud.row(id).host == host
    return id


def steady(cloud: MemoryCloud, id: str) -> Steady | None:
    """The state an instance last reached."""
    found = cloud.row(id).phase
    return found.steady if found is not None else None


def port(cloud: MemoryCloud, id: str) -> Port:
    """The instance's first port."""
    return cloud.run(cloud.core.instances.get(cloud.caller, id)).ports[0]


def burn(cloud: MemoryCloud, *workers: str) -> None:
    """These workers of the host are silent from now on, and known to be."""
    for worker in workers or ("compute", "network"):
        cloud.kill(f"{worker}@{DEAD}")
    cloud.advance(GONE + 15)


def hosts(cloud: MemoryCloud) -> HostUsers:
    """The operator's commands."""
    return HostUsers(cloud.core, cloud.identity, cloud.clock)


def remove(cloud: MemoryCloud) -> None:
    """The operator declares the host dead."""
    cloud.run(hosts(cloud).remove({"name": DEAD, "force": True}))


def terminate(cloud: MemoryCloud, id: str) -> None:
    """The user deletes an instance, and all that follows from it has time to happen."""
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    cloud.advance(15)


def claimed(cloud: MemoryCloud) -> dict[str, tuple[int, int]]:
    """Instances and memory counted on each host."""
    return {host.name: (host.instances, host.used_memory_mib) for host in cloud.run(cloud.core.hosts.list(cloud.admin))}


def reserved(cloud: MemoryCloud) -> set[str]:
    """The ports that count for the user."""
    return {one.id for one in cloud.run(cloud.core.ports.list(cloud.caller))}


def answers(cloud: MemoryCloud, floating_id: str, host: str) -> bool:
    """Whether a host answers for a floating address."""
    return floating_id in cloud.host(host).wiring.floating_ips


def own_network(cloud: MemoryCloud) -> str:
    """The id of a network of the user's own."""
    network = cloud.run(cloud.core.networks.create(cloud.caller, NewNetwork(name="mine")))
    cloud.run(cloud.core.subnets.create(cloud.caller, NewSubnet(network_id=network.id, cidr="10.9.0.0/24")))
    return network.id


@pytest.mark.parametrize("deleted_first", [True, False])
def test_what_was_on_a_removed_host_is_given_back(cloud: MemoryCloud, deleted_first: bool) -> None:
    """Ports, networks, quota and room; whether the user deleted before the operator removed the host, or later."""
    network = own_network(cloud)
    lent = cloud.run(cloud.core.ports.create(cloud.caller, NewPort(network_id=network)))[0]
    ids = [running(cloud, port_id=lent.id), running(cloud, network_id=network)]
    before = reserved(cloud)
    burn(cloud)
    if deleted_first:
        for id in ids:
            terminate(cloud, id)
        assert reserved(cloud) == before and claimed(cloud)[DEAD][0] == 2
        with pytest.raises(errors.InUse):
            cloud.run(cloud.core.ports.delete(cloud.caller, lent.id))
    remove(cloud)
    if not deleted_first:
        for id in ids:
            terminate(cloud, id)
    cloud.advance(15)
    assert claimed(cloud)[DEAD] == (0, 0)
    assert reserved(cloud) == {lent.id}
    cloud.run(cloud.core.ports.delete(cloud.caller, lent.id))
    cloud.run(cloud.core.networks.delete(cloud.caller, network))
    assert "Its host was removed." in {event.reason for event in cloud.run(
        cloud.core.instances.events(cloud.caller, ids[0]))}
    cloud.advance(4000)
    for id in ids:
        with pytest.raises(KeyError):
            cloud.row(id)


def test_ports_of_what_ended_on_a_removed_host_leave_room_in_the_quota(cloud: MemoryCloud) -> None:
    cloud.run(cloud.core.quotas.change(cloud.admin, cloud.caller.project_id, {"ports": 1}))
    id = running(cloud)
    burn(cloud)
    terminate(cloud, id)
    with pytest.raises(errors.QuotaExceeded, match="ports"):
        running(cloud, LEFT)
    remove(cloud)
    cloud.advance(15)
    running(cloud, LEFT)


@pytest.mark.parametrize("led_first", [True, False])
def test_a_floating_address_of_a_removed_host_is_answered_by_another(cloud: MemoryCloud, led_first: bool) -> None:
    floating = cloud.run(cloud.core.addresses.allocate(cloud.caller))
    old, new = running(cloud), running(cloud, LEFT)
    cloud.run(cloud.core.addresses.associate(cloud.caller, floating.id, port(cloud, old).id))
    cloud.until(lambda: answers(cloud, floating.id, DEAD))
    burn(cloud)
    if not led_first:
        remove(cloud)
        cloud.advance(15)
    cloud.run(cloud.core.addresses.associate(cloud.caller, floating.id, port(cloud, new).id))
    if led_first:
        cloud.advance(30)
        assert not answers(cloud, floating.id, LEFT)
        remove(cloud)
    cloud.until(lambda: answers(cloud, floating.id, LEFT), 15)
    cloud.run(cloud.core.addresses.disassociate(cloud.caller, floating.id))
    cloud.until(lambda: not answers(cloud, floating.id, LEFT))


def test_a_released_address_of_a_removed_host_can_be_taken_again(cloud: MemoryCloud) -> None:
    floating = cloud.run(cloud.core.addresses.allocate(cloud.caller))
    cloud.run(cloud.core.addresses.associate(cloud.caller, floating.id, port(cloud, running(cloud)).id))
    cloud.until(lambda: answers(cloud, floating.id, DEAD))
    burn(cloud)
    cloud.run(cloud.core.addresses.release(cloud.caller, floating.id))
    again: Any = cloud.core.addresses.allocate
    with pytest.raises(errors.AddressInUse):
        cloud.run(again(cloud.admin, address=floating.address))
    remove(cloud)
    cloud.advance(15)
    assert cloud.run(again(cloud.admin, address=floating.address)).address == floating.address


def test_what_nobody_deletes_stays_as_it_is(cloud: MemoryCloud) -> None:
    id = running(cloud)
    floating = cloud.run(cloud.core.addresses.allocate(cloud.caller))
    mine = port(cloud, id)
    cloud.run(cloud.core.addresses.associate(cloud.caller, floating.id, mine.id))
    before = claimed(cloud)
    burn(cloud)
    remove(cloud)
    cloud.advance(30)
    assert steady(cloud, id) is Steady.ACTIVE and port(cloud, id).id == mine.id
    assert cloud.run(cloud.core.addresses.get(cloud.caller, floating.id)).port_id == mine.id
    assert claimed(cloud) == before


@pytest.mark.parametrize("why", ["disabled", "refused"])
def test_nothing_is_taken_for_gone_on_a_host_that_was_not_removed(cloud: MemoryCloud, why: str) -> None:
    id = running(cloud)
    mine = port(cloud, id)
    if why == "disabled":
        cloud.run(cloud.core.hosts.enable(cloud.admin, DEAD, False, "it burns"))
    else:
        with pytest.raises(errors.InUse):
            cloud.run(hosts(cloud).remove({"name": DEAD}))
    burn(cloud)
    terminate(cloud, id)
    assert mine.id in reserved(cloud) and claimed(cloud)[DEAD][0] == 1


@pytest.mark.parametrize("silent", ["compute", "network"])
def test_nothing_is_taken_for_gone_while_a_worker_still_talks(cloud: MemoryCloud, silent: str) -> None:
    id = running(cloud)
    mine = port(cloud, id)
    burn(cloud, silent)
    remove(cloud)
    terminate(cloud, id)
    cloud.advance(15)
    if silent == "compute":
        assert steady(cloud, id) is Steady.DELETED and claimed(cloud)[DEAD][0] == 1
    else:
        assert claimed(cloud)[DEAD][0] == 0 and mine.id not in reserved(cloud)
        with pytest.raises(errors.AddressInUse):
            cloud.run(cloud.core.ports.create(cloud.caller, NewPort(
                network_id=mine.network_id, fixed_ip=mine.fixed_ips[0].address)))


def test_a_host_that_is_added_again_is_waited_for(cloud: MemoryCloud) -> None:
    """It may have its guests still: they are removed when it is back, and what they held is free only then."""
    kept, ended = running(cloud), running(cloud)
    mine = port(cloud, ended)
    burn(cloud)
    remove(cloud)
    cloud.run(hosts(cloud).add({"name": DEAD, "password": "a long password"}))
    terminate(cloud, ended)
    assert mine.id in reserved(cloud)
    for worker in ("compute", "network"):
        cloud.build(f"{worker}@{DEAD}")
    cloud.until(lambda: mine.id not in reserved(cloud))
    assert set(cloud.host(DEAD).guests.guests) == {kept}
    running(cloud)


def test_a_removed_host_that_returns_with_its_disks_removes_what_was_given_back(cloud: MemoryCloud) -> None:
    id = running(cloud)
    mine = port(cloud, id)
    burn(cloud)
    remove(cloud)
    terminate(cloud, id)
    assert mine.id not in reserved(cloud)
    cloud.run(hosts(cloud).add({"name": DEAD, "password": "a long password"}))
    for worker in ("compute", "network"):
        cloud.build(f"{worker}@{DEAD}")
    cloud.until(lambda: not cloud.host(DEAD).guests.guests)
    cloud.advance(15)
    assert claimed(cloud)[DEAD] == (0, 0)
    cloud.advance(4000)
    with pytest.raises(KeyError):
        cloud.row(id)


def test_to_give_back_twice_gives_back_once(cloud: MemoryCloud) -> None:
    """As after a conductor that died in between, or two that are at it."""
    running(cloud, LEFT)
    before = claimed(cloud)
    id = running(cloud)
    burn(cloud)
    remove(cloud)
    cloud.kill("conductor")
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    rounds = [cloud.run(cloud.database.write(fencing.fence, GONE)) for _ in range(4)]
    assert rounds == [1, 1, 0, 0]
    assert claimed(cloud) == before
    assert len([event for event in cloud.run(cloud.core.instances.events(cloud.caller, id))
                if event.action == "fenced"]) == 1
    cloud.build("conductor")
    cloud.advance(15)
    assert claimed(cloud) == before
