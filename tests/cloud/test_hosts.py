"""Hosts whose workers die and come back: what their guests are told, what users see, and where launches go."""

from typing import Any

import pytest

from stackd import errors
from stackd.conductor.assignments import StoredAssignments
from stackd.core.explain import Explain
from stackd.drivers.hypervisors.fake import FakeOptions, FakeWorld
from stackd.drivers.networks.fake import FakeNetwork
from stackd.model.assignments import Report
from stackd.model.faults import Steady
from stackd.model.guests import Guest
from stackd.model.hosts import HostCapacity
from stackd.model.instances import GuestState, Instance, LaunchRequest, NetworkRequest
from stackd.model.network_requests import NewNetwork, NewSubnet
from stackd.model.networks import NetworkType, Underlay
from stackd.model.wirings import WiringChange
from stackd.rules.outages import AT_MOST, LATELY
from stackd.store import addresses, ports
from stackd.store.database import Database
from stackd.store.reported import OVERDUE
from stackd.testing.cloud import MemoryCloud
from stackd.workers.network import NetworkWorker
from stackd.workers.remote import RemoteAssignments

GONE = 60.0


@pytest.fixture
def cloud() -> MemoryCloud:
    """A running cloud of two hosts."""
    return MemoryCloud().start()


def launched(cloud: MemoryCloud, user_data: bytes | None = None, network_id: str | None = None) -> str:
    """The id of a new instance, on its project's default network unless one is named; it does not run yet."""
    networks = (NetworkRequest(network_id=network_id),) if network_id else None
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", name="web", user_data=user_data,
                            networks=networks)
    return cloud.run(cloud.core.instances.launch(cloud.caller, request)).instances[0].instance.id


def steady(cloud: MemoryCloud, id: str) -> Steady | None:
    """The state an instance last reached."""
    found = cloud.row(id).phase
    return found.steady if found is not None else None


def asked(cloud: MemoryCloud, instance: Instance) -> Instance | None:
    """Whom the metadata service of its host takes the guest for that asks from the instance's address."""
    port = cloud.run(cloud.core.instances.get(cloud.caller, instance.id)).ports[0]
    worker = cloud.daemons[f"network@{instance.host}"]
    assert isinstance(worker, NetworkWorker)
    found = worker.guest_at(port.network_id, port.fixed_ips[0].address)
    return found.instance if found is not None else None


def test_a_guest_is_answered_without_a_compute_worker_and_without_a_conductor(cloud: MemoryCloud) -> None:
    id = launched(cloud, user_data=b"#!/bin/sh")
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)
    instance = cloud.row(id)
    cloud.kill(f"compute@{instance.host}")
    cloud.advance(100)
    found = asked(cloud, instance)
    assert found is not None and found.name == "web"
    assert cloud.run(RemoteAssignments(cloud.bus).user_data(instance.host, id)) == b"#!/bin/sh"
    cloud.kill("conductor")
    cloud.advance(100)
    assert asked(cloud, instance) is not None


def test_a_network_worker_that_starts_without_a_conductor_says_so_to_guests(cloud: MemoryCloud) -> None:
    id = launched(cloud)
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)
    instance = cloud.row(id)
    network = f"network@{instance.host}"
    for name in ("conductor", network):
        cloud.kill(name)
    cloud.build(network)
    cloud.advance(5)
    with pytest.raises(errors.Unavailable):
        asked(cloud, instance)
    cloud.build("conductor")
    cloud.advance(20)
    assert asked(cloud, instance) is not None


def test_a_guest_that_went_while_no_conductor_listened_is_purged(cloud: MemoryCloud,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Its host says for the last time that it is gone before anybody hears of it."""
    id = launched(cloud)
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)
    drop = FakeWorld.drop

    def drop_and_kill(world: FakeWorld, guest_id: str) -> None:
        drop(world, guest_id)
        cloud.kill("conductor")

    monkeypatch.setattr(FakeWorld, "drop", drop_and_kill)
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    cloud.advance(130)
    monkeypatch.undo()
    assert cloud.row(id).ended_at is None
    cloud.build("conductor")
    cloud.advance(4200)
    with pytest.raises(KeyError):
        cloud.row(id)


def test_last_words_that_were_lost_are_asked_for_again(cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker confirmed them, and forgot them before anybody applied them."""
    floating = cloud.run(cloud.core.addresses.allocate(cloud.caller))
    id = launched(cloud)
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)
    port = cloud.run(cloud.core.instances.get(cloud.caller, id)).ports[0]
    cloud.run(cloud.core.addresses.associate(cloud.caller, floating.id, port.id))
    cloud.advance(5)
    cloud.run(cloud.core.instances.terminate(cloud.caller, [id]))
    cloud.run(cloud.core.addresses.release(cloud.caller, floating.id))
    with monkeypatch.context() as broken:
        broken.setattr(StoredAssignments, "report", unheard)
        cloud.advance(200)
    cloud.advance(60)
    assert cloud.row(id).ended_at is None
    cloud.advance(OVERDUE + 60)
    assert cloud.row(id).ended_at is not None
    assert not cloud.run(cloud.database.read(addresses.of_ids, [floating.id]))
    assert not cloud.run(cloud.database.read(ports.of_ids, [port.id]))


async def unheard(self: StoredAssignments, report: Report) -> None:
    """In place of applying it."""


def alive(cloud: MemoryCloud) -> dict[str, bool]:
    """Which workers administrators see up."""
    return {f"{one.worker}@{one.host}": one.alive for one in cloud.run(cloud.core.hosts.workers(cloud.admin))}


def explained(cloud: MemoryCloud, text: str) -> dict[str, Any]:
    """What an operator is told."""
    return cloud.run(Explain(cloud.database, GONE).explain(cloud.admin, text))


@pytest.mark.parametrize("worker", ["compute", "network"])
def test_a_host_without_one_of_its_workers_is_down_within_a_minute_and_gets_nothing(cloud: MemoryCloud, worker: str
                                                                                    ) -> None:
    cloud.kill(f"{worker}@host-1")
    cloud.advance(GONE + 15)
    assert [name for name, up in alive(cloud).items() if not up] == [f"{worker}@host-1"]
    assert explained(cloud, "host-1")["placements"] == f"none: its {worker} worker does not answer"
    ids = [launched(cloud) for _ in range(4)]
    cloud.until(lambda: all(steady(cloud, id) is Steady.ACTIVE for id in ids))
    assert {cloud.row(id).host for id in ids} == {"host-2"}
    assert cloud.run(cloud.core.hosts.lost(cloud.caller)) == ({"host-1"} if worker == "compute" else frozenset())


@pytest.mark.parametrize("worker", ["compute", "network"])
def test_with_one_kind_of_worker_gone_everywhere_a_launch_waits_and_says_why(cloud: MemoryCloud, worker: str) -> None:
    for host in cloud.hosts:
        cloud.kill(f"{worker}@{host.name}")
    cloud.advance(GONE + 15)
    waiting = launched(cloud)
    cloud.advance(20)
    assert not cloud.row(waiting).host
    late = launched(cloud)
    for host in cloud.hosts:
        cloud.build(f"{worker}@{host.name}")
    cloud.until(lambda: all(steady(cloud, id) is Steady.ACTIVE for id in (waiting, late)))
    for host in cloud.hosts:
        cloud.kill(f"{worker}@{host.name}")
    cloud.advance(GONE + 15)
    lost = launched(cloud)
    cloud.until(lambda: cloud.row(lost).fault is not None, LATELY + GONE)
    fault = cloud.row(lost).fault
    assert fault is not None and f"{worker} worker does not answer" in fault.message


@pytest.mark.parametrize("worker", ["compute", "network"])
def test_a_host_that_comes_back_goes_on_where_it_was(cloud: MemoryCloud, worker: str) -> None:
    """What ran runs, what was asked meanwhile is done, and nothing is there twice."""
    kept, stopped, ended = ids = [launched(cloud) for _ in range(3)]
    cloud.until(lambda: all(steady(cloud, id) is Steady.ACTIVE for id in ids))
    dead = {cloud.row(id).host for id in ids}
    for host in dead:
        cloud.kill(f"{worker}@{host}")
    cloud.advance(GONE + 15)
    cloud.run(cloud.core.instances.stop(cloud.caller, [stopped]))
    cloud.run(cloud.core.instances.terminate(cloud.caller, [ended]))
    cloud.advance(30)
    owner = explained(cloud, stopped)
    if worker == "compute":
        assert owner["owner"] == f"compute@{owner['host']}" and "the compute worker" in owner["silent"]
    else:
        assert steady(cloud, stopped) is Steady.STOPPED
    for host in dead:
        cloud.build(f"{worker}@{host}")
    cloud.until(lambda: steady(cloud, stopped) is Steady.STOPPED, 30)
    cloud.advance(30)
    assert all(alive(cloud).values())
    guests = {host.name: set(host.guests.guests) for host in cloud.hosts}
    assert sorted(id for held in guests.values() for id in held) == sorted((kept, stopped))
    wired = [id for host in cloud.hosts for id in host.wiring.ports]
    assert len(wired) == len(set(wired)) == 2
    again = launched(cloud)
    cloud.until(lambda: steady(cloud, again) is Steady.ACTIVE)


def test_a_guest_goes_where_its_physical_network_is() -> None:
    """Also two on different hosts reach each other there; a launch that finds no such host says so."""
    cloud = MemoryCloud(hosts=4, underlay=Underlay(vlans={"blue": (100, 199), "red": (0, 0)}))
    for host in cloud.hosts[2:]:
        host.wiring.physical_networks = ("blue",)
    cloud.start()
    on_blue, on_red = (made_on(cloud, NewNetwork(name=name, type=type, physical_network=name, shared=True))
                       for name, type in (("blue", NetworkType.VLAN), ("red", NetworkType.FLAT)))
    ids = [launched(cloud, network_id=on_blue) for _ in range(4)]
    cloud.until(lambda: all(steady(cloud, id) is Steady.ACTIVE for id in ids))
    assert {cloud.row(id).host for id in ids} == {"host-3", "host-4"}
    third, fourth = (cloud.host(name).wiring for name in ("host-3", "host-4"))
    assert third.reaches(next(iter(third.ports)), fourth, next(iter(fourth.ports)))
    assert [one.vlan for one in third.networks.values()] == [100]
    lost = launched(cloud, network_id=on_red)
    cloud.until(lambda: cloud.row(lost).fault is not None, LATELY + GONE)
    fault = cloud.row(lost).fault
    assert fault is not None and "is not on physical network red" in fault.message


def test_a_host_that_lost_its_physical_network_says_so(cloud: MemoryCloud) -> None:
    """A port that cannot be wired there is the instance's fault."""
    cloud = MemoryCloud(hosts=1, underlay=Underlay(vlans={"blue": (100, 199)}))
    cloud.hosts[0].wiring.physical_networks = ("blue",)
    cloud.start()
    network = made_on(cloud, NewNetwork(name="blue", type=NetworkType.VLAN, physical_network="blue", shared=True))
    cloud.hosts[0].wiring.physical_networks = ()
    id = launched(cloud, network_id=network)
    cloud.until(lambda: cloud.row(id).fault is not None, 120)
    fault = cloud.row(id).fault
    assert fault is not None and "not on physical network blue" in fault.message


def test_an_instance_on_a_host_whose_cable_is_plugged_in_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a fault that says why it does not start, also when started anew; and starts when the cable is there."""
    cloud = MemoryCloud(hosts=1).start()
    stopped, running = launched(cloud), launched(cloud)
    cloud.until(lambda: steady(cloud, running) is steady(cloud, stopped) is Steady.ACTIVE)
    cloud.run(cloud.core.instances.stop(cloud.caller, [stopped]))
    cloud.until(lambda: steady(cloud, stopped) is Steady.STOPPED)
    host = cloud.host("host-1")
    for standing in (host.wiring.ports, host.wiring.networks, host.wiring.groups, host.guests.guests):
        standing.clear()
    host.guests.guests.update({id: Guest(id=id, state=state, prepared=True) for id, state in (
        (stopped, GuestState.STOPPED), (running, GuestState.CRASHED))})
    with monkeypatch.context() as unplugged:
        unplugged.setattr(FakeNetwork, "apply", refused)
        cloud.kill("compute@host-1")
        cloud.kill("network@host-1")
        for worker in ("network@host-1", "compute@host-1"):
            cloud.build(worker)
            cloud.advance(2)
        cloud.until(lambda: "unplugged" in shown(cloud, running), 100)
        assert steady(cloud, stopped) is Steady.STOPPED
        cloud.advance(1000)
        cloud.run(cloud.core.instances.start(cloud.caller, [stopped]))
        cloud.until(lambda: "unplugged" in shown(cloud, stopped), 10)
    cloud.run(cloud.core.instances.start(cloud.caller, [running]))
    cloud.until(lambda: steady(cloud, running) is Steady.ACTIVE, 10)
    cloud.until(lambda: steady(cloud, stopped) is Steady.ACTIVE, 1000)


async def refused(_: FakeNetwork, change: WiringChange) -> None:
    """What a network driver says that lacks a cable."""
    raise errors.PermanentFailure("The cable is unplugged.")


def shown(cloud: MemoryCloud, id: str) -> str:
    """What users are told of why an instance is in error."""
    found = cloud.row(id).phase
    return found.reason if found is not None and found.steady is Steady.ERROR else ""


def made_on(cloud: MemoryCloud, wanted: NewNetwork) -> str:
    """The id of an administrator's new network with a subnet."""
    network = cloud.run(cloud.core.networks.create(cloud.admin, wanted))
    cloud.run(cloud.core.subnets.create(cloud.admin, NewSubnet(network_id=network.id, cidr="10.7.0.0/24")))
    return network.id


def test_a_launch_waits_while_the_cloud_hears_no_host(cloud: MemoryCloud) -> None:
    """All hosts fell silent together: that is not for want of room."""
    cloud.kill("conductor")
    cloud.advance(GONE + 10)
    id = launched(cloud)
    cloud.advance(2 * GONE)
    assert cloud.row(id).fault is None and not cloud.row(id).host
    cloud.build("conductor")
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)


@pytest.mark.parametrize("away", ["conductor", "database"])
def test_a_launch_survives_a_long_outage(away: str, monkeypatch: pytest.MonkeyPatch,
                                         lost_failures: list[Any]) -> None:
    """Also one for which there is room on the last host only that comes back."""
    cloud = MemoryCloud(hosts=3).start()
    cloud.hosts[0].guests.options = cloud.hosts[1].guests.options = FakeOptions(
        capacity=HostCapacity(vcpus=0, memory_mib=0, disk_gib=0))
    for name in ("compute@host-1", "compute@host-2"):
        cloud.kill(name)
        cloud.build(name)
    cloud.kill("compute@host-3")
    cloud.advance(GONE + 15)
    id = launched(cloud)
    if away == "database":
        monkeypatch.setattr(Database, "_retried", unanswered)
    else:
        cloud.kill("conductor")
    cloud.advance(LATELY + 2 * GONE)
    monkeypatch.undo()
    lost_failures.clear()
    if away == "conductor":
        cloud.build("conductor")
    cloud.advance(20)
    assert cloud.row(id).fault is None and not cloud.row(id).host
    cloud.build("compute@host-3")
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)


async def unanswered(*_: Any) -> Any:
    """What a database that is away says."""
    raise errors.DatabaseUnavailable("The database does not answer.")


def test_a_launch_onto_a_cloud_whose_only_host_died_gets_its_fault() -> None:
    cloud = MemoryCloud(hosts=1).start()
    for worker in ("compute", "network"):
        cloud.kill(f"{worker}@host-1")
    cloud.advance(GONE + 15)
    id = launched(cloud)
    cloud.until(lambda: cloud.row(id).fault is not None, AT_MOST + GONE)
    fault = cloud.row(id).fault
    assert fault is not None and "worker does not answer" in fault.message


def test_a_launch_survives_that_everything_was_off_for_long(cloud: MemoryCloud) -> None:
    """When all begins again no host could be heard yet."""
    names = list(cloud.daemons)
    for name in names:
        cloud.kill(name)
    id = launched(cloud)
    cloud.advance(LATELY + GONE)
    for name in ("scheduler", *names):
        cloud.build(name)
        cloud.advance(1)
    cloud.until(lambda: steady(cloud, id) is Steady.ACTIVE)


def test_a_launch_fails_in_the_end_when_no_host_comes_back(cloud: MemoryCloud) -> None:
    cloud.kill("conductor")
    cloud.advance(GONE + 10)
    id = launched(cloud)
    cloud.advance(AT_MOST + GONE)
    fault = cloud.row(id).fault
    assert fault is not None and "does not answer" in fault.message
