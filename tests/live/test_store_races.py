"""Many threads and connections at once on each database: nothing is given twice, nothing is passed, nothing is lost."""

from collections import Counter

from attrs import evolve
from pytest_twisted import ensureDeferred
from sqlalchemy import func, select
from twisted.internet.task import Clock

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.core.addresses import FloatingIPs
from stackd.core.flavors import Flavors
from stackd.core.instances import Instances
from stackd.core.keypairs import KeyPairs
from stackd.core.networks import Networks
from stackd.core.ports import Ports
from stackd.core.subnets import Subnets
from stackd.model.assignments import FloatingReport, Hello, InstanceReport, PortReport, Report
from stackd.model.callers import ADMIN
from stackd.model.hosts import HostCapacity
from stackd.model.ids import new_id
from stackd.model.instances import GuestState, ObservedInstance
from stackd.model.network_requests import NewNetwork, NewPort, NewSubnet
from stackd.model.networks import WiringState
from stackd.model.quotas import QuotaSet
from stackd.store import addresses, events, hosts, instances, networks, reported
from stackd.store import ports as store_ports
from stackd.store.database import Database, Transaction
from stackd.store.executors import InlineExecutor
from stackd.store.tables.instances import instances as table
from stackd.testing.crowds import FLAVOR, HOST_GONE, Crowd, in_turns, kinds_of, together
from tests.live.database_fixtures import any_server, database, url

__all__ = ["any_server", "database", "url"]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGcHhJ1bJ1Wf1oGBnCBLrR4S3vZKbKhQoFhG5BvFbYcl"


@ensureDeferred
async def test_hosts_are_never_over_committed(database: Database) -> None:
    """Schedulers with different instances want the same hosts, and schedulers with the same want different ones."""
    crowd = Crowd(database)
    await crowd.settle(count=4, room=10)
    await in_turns(lambda number: crowd.launch(max_count=6), 10)
    # The rest of a reservation is nobody's before its first one has a host.
    first = await crowd.claim([one for one in await crowd.pending() if not one.extra], crowd.hosts[:2])
    pending = await crowd.pending()
    won, failed = await together(crowd.claim(pending[start::5], crowd.hosts[:2]) for start in range(5))
    more, lost = await together(crowd.claim(pending[::step], crowd.hosts[1::step]) for step in (-1, 1, -2, 2) * 2)
    # What one scheduler has the others leave alone, also where it loses then: they look again.
    more.append(await crowd.claim(await crowd.pending(), crowd.hosts[2:]))
    assert kinds_of(failed + lost) == set()
    ids = [id for each in [first, *won, *more] for id in each]
    assert len(ids) == len(set(ids))
    present = await database.read(hosts.listed, HOST_GONE)
    assert {host.name: host.instances for host in present if host.instances} == await database.read(placed_on)
    assert all(host.used_memory_mib == FLAVOR.memory_mib * host.instances <= host.memory_mib for host in present)
    assert sum(host.instances for host in present) == len(ids)
    assert len(first) + sum(map(len, won)) == 20


@ensureDeferred
async def test_no_extra_has_a_host_before_its_minimum(database: Database) -> None:
    """Schedulers that have the extras of launches, and others that have what must go together, and too little room."""
    crowd = Crowd(database)
    await crowd.settle(count=2, room=10)
    await in_turns(lambda number: crowd.launch(min_count=3, max_count=6), 10)
    pending = await crowd.pending()
    _, failed = await together(crowd.claim([one for one in pending if one.extra is extra][::step])
                               for step in (1, -1) * 3 for extra in (True, False))
    await crowd.claim(await crowd.pending())
    assert kinds_of(failed) == set()
    waiting = {one.reservation_id for one in await crowd.pending() if not one.extra}
    placed = {one.reservation_id for one in pending} - waiting
    assert placed and waiting
    assert set(await database.read(reservations_placed)) == placed


@ensureDeferred
async def test_both_workers_of_new_hosts_say_hello_at_once(database: Database) -> None:
    """To several conductors: each host is known once, with what both said, and each hello has a session of its own."""
    capacity = HostCapacity(vcpus=4, memory_mib=4096, disk_gib=40)
    said = {"compute": {"capacity": capacity}, "network": {"tunnel_address": "192.0.2.1"}}
    sessions, failed = await together(database.write(hosts.hello_all, [
        Hello(host=f"host-{number}", worker=worker, **fields) for number in range(20)], {})  # type: ignore[arg-type]
        for worker, fields in said.items() for _ in range(2))
    assert kinds_of(failed) == set()
    assert sorted(sessions) == [[1] * 20, [1] * 20, [2] * 20, [2] * 20]
    known = await database.read(hosts.listed, HOST_GONE)
    assert [(host.vcpus, host.alive) for host in known] == [(4, True)] * 20


@ensureDeferred
async def test_a_quota_is_reached_and_not_passed(database: Database) -> None:
    crowd = Crowd(database)
    await crowd.settle(limits=QuotaSet(instances=10, cores=-1, ram=-1))
    made, failed = await together(crowd.launch() for _ in range(25))
    assert kinds_of(failed) == {errors.QuotaExceeded}
    assert len(made) == (await database.read(instances.usage, crowd.project.id))[0] == 10


@ensureDeferred
async def test_an_address_is_given_once(database: Database) -> None:
    crowd = Crowd(database)
    public = await crowd.settle(public="203.0.113.0/28")
    floating = FloatingIPs(database)
    launches, allocations = (together(crowd.launch() for _ in range(25)),
                             together(floating.allocate(crowd.caller, public.id) for _ in range(20)))
    made, failed = await launches
    taken, refused = await allocations
    assert kinds_of(failed) == set()
    assert kinds_of(refused) == {errors.NoMoreAddresses}
    assert len({one.address for one in taken}) == len(taken) == 13
    fixed = [port.fixed_ips[0].address for one in made for view in one.instances for port in view.ports]
    assert len(set(fixed)) == len(fixed) == 25


@ensureDeferred
async def test_a_client_token_launches_once(database: Database) -> None:
    crowd = Crowd(database)
    await crowd.settle()
    made, failed = await together(crowd.launch(client_token="t", request_hash="h") for _ in range(12))
    assert kinds_of(failed) == set()
    assert len({one.id for one in made}) == 1
    assert (await database.read(instances.usage, crowd.project.id))[0] == 1


@ensureDeferred
async def test_of_many_creates_of_one_name_one_succeeds(database: Database) -> None:
    """No quota row stands between one user in two projects, nor between administrators."""
    crowd, other = Crowd(database), Crowd(database, "other", "999999999999")
    await crowd.settle()
    await other.settle()
    pairs, sizes = KeyPairs(database, Clock(), InlineExecutor()), Flavors(database)
    mine = [crowd.caller, evolve(other.caller, user_id=crowd.caller.user_id)]
    admin = evolve(crowd.caller, roles=frozenset({ADMIN}))
    for asked in ([pairs.import_key(caller, "k", KEY) for caller in mine * 6],
                  [sizes.create(admin, evolve(FLAVOR, id=new_id(), name="x9.huge")) for _ in range(12)]):
        made, failed = await together(asked)
        assert len(made) == 1
        assert kinds_of(failed) == {errors.AlreadyExists}


@ensureDeferred
async def test_no_turn_of_an_address_is_lost(database: Database) -> None:
    """Users lead one address to and fro while hosts report it: each turn raises the generation once."""
    crowd = Crowd(database)
    await crowd.settle()
    floating = FloatingIPs(database)
    one = await floating.allocate(crowd.caller)
    made = await in_turns(lambda number: crowd.launch(), 2)
    await crowd.claim(await crowd.pending())
    ids = [view.ports[0].id for reservation in made for view in reservation.instances]

    async def lead(number: int) -> None:
        if number % 3:
            await floating.associate(crowd.caller, one.id, ids[number % 2])
        else:
            await database.write(addresses.observed, crowd.hosts[number % 2], [
                FloatingReport(id=one.id, observed=WiringState.ABSENT, generation=1)], (1, 1))

    await in_turns(lead, 60)
    history = await database.read(events.of_resource, one.id)
    turns = [event for event in history if event.action == "associate"]
    assert (await floating.get(crowd.caller, one.id)).generation == 1 + len(turns) > 2


@ensureDeferred
async def test_each_start_of_a_worker_has_a_session_of_its_own(database: Database) -> None:
    sessions, failed = await together(
        database.write(hosts.hello, Hello(host="new", worker=worker, zone="z"), {}) for worker in ["a", "b"] * 8)
    assert kinds_of(failed) == set()
    assert Counter(sessions) == {number: 2 for number in range(1, 9)}


@ensureDeferred
async def test_no_port_is_left_on_a_network_that_is_deleted(database: Database) -> None:
    crowd = Crowd(database)
    await crowd.settle()
    nets, subnets, ports = Networks(database), Subnets(database), Ports(database)
    for _ in range(6):
        network = await nets.create(crowd.caller, NewNetwork(name="n"))
        await subnets.create(crowd.caller, NewSubnet(network_id=network.id, cidr="10.0.0.0/24", ip_version=4))
        made, failed = await together([
            *(ports.create(crowd.caller, NewPort(network_id=network.id)) for _ in range(3)),
            nets.delete(crowd.caller, network.id)])
        kinds_of(failed)
        left = await database.read(store_ports.find, store_ports.PortQuery(network_ids=(network.id,)))
        there = await database.read(networks.of_ids, [network.id])
        assert len(left) == len([one for one in made if one is not None])
        assert bool(left) == bool(there)


@ensureDeferred
async def test_subnets_of_two_projects_on_one_network_never_overlap(database: Database) -> None:
    crowd, other = Crowd(database), Crowd(database, "other", "999999999999")
    await crowd.settle()
    await other.settle()
    admin = evolve(crowd.caller, roles=frozenset({ADMIN}))
    nets, subnets = Networks(database), Subnets(database)
    for _ in range(4):
        network = await nets.create(crowd.caller, NewNetwork(name="n"))
        made, failed = await together(
            subnets.create(admin, NewSubnet(network_id=network.id, cidr=cidr, ip_version=4, project_id=one.project.id))
            for cidr in ("10.0.0.0/16", "10.0.3.0/24") for one in (crowd, other) * 2)
        assert kinds_of(failed) == {errors.InvalidValue}
        assert len(made) == 1


@ensureDeferred
async def test_reports_of_instances_and_of_their_ports_never_wait_for_each_other(database: Database) -> None:
    """Two conductors, one told that guests are gone, one of their wiring, while users act on the same guests."""
    crowd = Crowd(database)
    await crowd.settle(count=2)
    users = Instances(database, MemoryBus(Clock()), crowd._launches)
    for round in range(1, 4):
        made = await in_turns(lambda number: crowd.launch(max_count=10), 3)
        await crowd.claim(await crowd.pending())
        views = [view for reservation in made for view in reservation.instances]
        ids = [view.instance.id for view in views]
        gone = [Report(host=host, worker="compute", session=1, counter=round, instances=tuple(
            InstanceReport(id=one.id, epoch=one.placement_epoch, observed=ObservedInstance(
                state=GuestState.ABSENT, generation=one.generation + 1, at=1.0))
            for one in (await database.read(instances.of_ids, ids)).values() if one.host == host))
            for host in crowd.hosts]
        wired = [Report(host=host, worker="network", session=1, counter=round, ports=tuple(
            PortReport(id=view.ports[0].id, observed=WiringState.WIRED, generation=2) for view in reversed(views)))
            for host in crowd.hosts]
        await users.terminate(crowd.caller, ids)
        _, failed = await together(database.write(reported.apply_all, [report]) for report in (*gone, *wired) * 2)
        assert kinds_of(failed) == set()
    raced = {figure.labels["reason"]: figure.value for figure in database.figures()
             if figure.name == "database_retries"}
    assert raced == {}


def reservations_placed(tx: Transaction) -> set[str]:
    """Those of which any instance has a host."""
    return set(tx.execute(select(table.c.reservation_id).where(table.c.host != "")).scalars())


def placed_on(tx: Transaction) -> dict[str, int]:
    """Host -> how many instances say that they are there."""
    return {host: count for host, count in tx.execute(
        select(table.c.host, func.count()).where(table.c.host != "").group_by(table.c.host))}
