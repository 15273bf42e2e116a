"""Claims: what fits is placed once, what does not is not, and reservations go together."""

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve

from stackd.core.flavors import seed
from stackd.model.assignments import FetchRequest, Hello, InstanceReport, Report
from stackd.model.faults import FaultCode
from stackd.model.hosts import Host, HostCapacity
from stackd.model.ids import new_id
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance, OnLaunchFault
from stackd.rules import lifecycle
from stackd.store import assigned, hosts, instances, placements, reported
from stackd.store.database import Transaction
from stackd.store.placements import Choice, Pending
from stackd.testing.projects import Cloud
from stackd.testing.records import FLAVOR, an_instance


@pytest.fixture
def cloud() -> Cloud:
    """A cloud with two hosts that have room for four instances each."""
    made = Cloud()
    made.write(seed)
    for name in ("host-1", "host-2"):
        capacity = HostCapacity(vcpus=4, memory_mib=4 * FLAVOR.memory_mib, disk_gib=100)
        made.write(hosts.hello, Hello(host=name, worker="compute", zone="zone-a", capacity=capacity), {})
        made.write(hosts.hello, Hello(host=name, worker="network", zone="zone-a"), {})
    return made


def launched(cloud: Cloud, count: int = 1, together: int = 1, **fields: Any) -> list[Pending]:
    """New instances of one reservation, as the scheduler finds them."""
    reservation = new_id()
    new = [an_instance(id=new_id(), reservation_id=reservation, launch_index=index, host="", launched_at=None,
                       placement_epoch=0, **fields) for index in range(count)]
    cloud.write(instances.insert_all, new, together, "")
    return [one for one in cloud.read(placements.pending, 1000) if one.reservation_id == reservation]


def claim(cloud: Cloud, *pairs: tuple[Pending, str], gone: float = 60.0) -> frozenset[str]:
    """Claim hosts for instances."""
    return cloud.write(placements.claim, [Choice(pending=one, host=host) for one, host in pairs], gone).won


def host(cloud: Cloud, name: str) -> Host:
    """A host as it stands."""
    return next(one for one in cloud.read(hosts.listed, 60.0) if one.name == name)


def instance(cloud: Cloud, id: str) -> Instance:
    """An instance as it stands."""
    return cloud.read(instances.of_ids, [id])[id]


def test_what_is_promised_of_a_host_is_what_it_has_by_the_ratios(cloud: Cloud) -> None:
    capacity = HostCapacity(vcpus=4, memory_mib=1000, disk_gib=100)
    cloud.write(hosts.hello, Hello(host="host-1", worker="compute", zone="zone-a", capacity=capacity),
                {"vcpus": 4.0, "memory_mib": 1.5, "disk_gib": 0.5})
    known = host(cloud, "host-1")
    assert (known.vcpus, known.memory_mib, known.disk_gib, known.capacity) == (16, 1500, 50, capacity)


def test_a_claim_places_and_counts(cloud: Cloud) -> None:
    one, = launched(cloud)
    assert claim(cloud, (one, "host-1")) == {one.id}
    placed = instance(cloud, one.id)
    assert (placed.host, placed.zone, placed.placement_epoch) == ("host-1", "zone-a", 1)
    assert host(cloud, "host-1").used_vcpus == 1
    assert cloud.read(placements.pending, 10) == ()


def test_the_host_is_told(cloud: Cloud) -> None:
    one, = launched(cloud)
    claim(cloud, (one, "host-1"))
    told = cloud.read(assigned.fetch, FetchRequest(host="host-1", worker="compute", session=1), "x")
    assert [assignment.instance.id for assignment in told.instances] == [one.id]
    again = cloud.read(assigned.fetch, FetchRequest(host="host-1", worker="compute", session=1,
                                                    known=told.version), "x")
    assert again.instances == ()


def test_claiming_twice_places_once(cloud: Cloud) -> None:
    one, = launched(cloud)
    claim(cloud, (one, "host-1"))
    assert claim(cloud, (one, "host-2")) == frozenset()
    assert instance(cloud, one.id).host == "host-1"
    assert host(cloud, "host-2").used_vcpus == 0


def test_a_full_host_drops_only_what_does_not_fit(cloud: Cloud) -> None:
    many = [launched(cloud)[0] for _ in range(5)]
    won = claim(cloud, *((one, "host-1") for one in many))
    assert won == {one.id for one in many[:4]}
    assert host(cloud, "host-1").used_memory_mib == host(cloud, "host-1").memory_mib


@pytest.mark.parametrize("spoil", ["disabled", "silent"])
def test_a_host_that_takes_nothing_wins_nothing(cloud: Cloud, spoil: str) -> None:
    one, = launched(cloud)
    if spoil == "disabled":
        cloud.write(hosts.enable, "host-1", False, "repair")
    else:
        cloud.clock.advance(100)
    assert claim(cloud, (one, "host-1")) == frozenset()


def test_a_reservation_goes_together_or_not_at_all(cloud: Cloud) -> None:
    many = launched(cloud, count=6, together=6)
    assert claim(cloud, *((one, "host-1") for one in many)) == frozenset()
    assert host(cloud, "host-1").instances == 0
    split: Sequence[tuple[Pending, str]] = [(one, f"host-{1 + index % 2}") for index, one in enumerate(many)]
    assert len(claim(cloud, *split)) == 6


def test_what_is_beyond_the_minimum_goes_alone(cloud: Cloud) -> None:
    many = launched(cloud, count=6, together=2)
    assert len(claim(cloud, *((one, "host-1") for one in many))) == 4


def test_an_extra_loses_with_its_minimum(cloud: Cloud) -> None:
    *minimum, extra = launched(cloud, count=6, together=5)
    other, = launched(cloud)
    assert claim(cloud, (extra, "host-1"), *((one, "host-1") for one in minimum), (other, "host-1")) == {other.id}
    assert claim(cloud, (extra, "host-1"), *((one, "host-2") for one in minimum[:4]), (minimum[4], "host-1")) == \
        {extra.id, *(one.id for one in minimum)}


def test_an_extra_waits_for_a_minimum_that_others_have(cloud: Cloud) -> None:
    one, two, extra, more = launched(cloud, count=4, together=2)
    assert claim(cloud, (extra, "host-1")) == frozenset()
    assert claim(cloud, (one, "host-1"), (two, "host-1"), (extra, "host-1")) == {one.id, two.id, extra.id}
    assert claim(cloud, (more, "host-1")) == {more.id}


def test_a_terminated_instance_is_not_placed(cloud: Cloud) -> None:
    one, = launched(cloud)

    def terminate(tx: Transaction) -> None:
        instances.save_all(tx, [(lifecycle.terminated(instances.of_ids(tx, [one.id])[one.id], tx.now, "req"), True)])

    cloud.write(terminate)
    assert claim(cloud, (one, "host-1")) == frozenset()
    assert instance(cloud, one.id).ended_at is not None


def test_a_fault_keeps_the_words_and_leaves_the_queue(cloud: Cloud) -> None:
    one, = launched(cloud)
    assert cloud.write(placements.fail, [(one, "no room")]) == {one.id}
    failed = instance(cloud, one.id)
    assert failed.fault is not None
    assert (failed.fault.code, failed.fault.message) == (FaultCode.NO_CAPACITY, "no room")
    assert cloud.read(placements.pending, 10) == ()


def test_a_fault_ends_what_asked_for_it(cloud: Cloud) -> None:
    one, = launched(cloud, on_launch_fault=OnLaunchFault.TERMINATE)
    cloud.write(placements.fail, [(one, "no room")])
    ended = instance(cloud, one.id)
    assert ended.desired is InstanceDesired.DELETED
    assert ended.ended_at is not None


def test_the_fault_loses_against_a_claim(cloud: Cloud) -> None:
    one, = launched(cloud)
    claim(cloud, (one, "host-1"))
    assert cloud.write(placements.fail, [(one, "no room")]) == frozenset()


def test_recounting_finds_what_was_claimed(cloud: Cloud) -> None:
    for _ in range(3):
        claim(cloud, (launched(cloud)[0], "host-1"))
    claim(cloud, (launched(cloud)[0], "host-2"))
    before = host(cloud, "host-1"), host(cloud, "host-2")
    assert cloud.write(hosts.recount) == ()
    cloud.write(Transaction.use, "host-1", (7, 7, 7, 7))
    assert cloud.write(hosts.recount) == ("host-1",)
    assert [evolve(host(cloud, one.name), last_seen=one.last_seen) for one in before] == list(before)


def test_what_a_lost_host_has_not_confirmed_is_still_claimed(cloud: Cloud) -> None:
    one, = launched(cloud, observed=ObservedInstance())
    claim(cloud, (one, "host-1"))
    cloud.write(_delete, one.id)
    assert cloud.write(reported.end_on_lost_hosts, -1.0) == 1
    assert cloud.write(hosts.recount) == ()
    assert host(cloud, "host-1").instances == 1
    cloud.write(reported.apply_all, [Report(host="host-1", worker="compute", session=1, counter=1, instances=(
        InstanceReport(id=one.id, epoch=1, observed=ObservedInstance(state=GuestState.ABSENT, generation=2)),))])
    assert cloud.write(hosts.recount) == ()
    assert host(cloud, "host-1").instances == 0


def _delete(tx: Transaction, id: str) -> None:
    found = instances.of_ids(tx, [id], lock=True)[id]
    instances.save_all(tx, [(evolve(found, desired=InstanceDesired.DELETED, generation=2), True)])


def test_what_others_have_already_is_told_apart_from_hosts_that_are_full(cloud: Cloud) -> None:
    taken, *others = (launched(cloud)[0] for _ in range(6))
    claim(cloud, (taken, "host-1"))
    claimed = cloud.write(placements.claim, [Choice(pending=one, host="host-1") for one in (taken, *others)], 60.0)
    assert claimed.overtaken == {taken.id}
    assert len(claimed.won) == 3


def test_the_waiting_are_read_from_anywhere_and_around_with_whole_reservations(cloud: Cloud) -> None:
    for _ in range(3):
        launched(cloud, count=4)
    everybody = cloud.read(placements.pending, 1000)
    order = list(dict.fromkeys(one.reservation_id for one in everybody))
    around = cloud.read(placements.pending, 6, order[1])
    assert [one.reservation_id for one in around] == [order[1]] * 4 + [order[2]] * 4
    assert {one.id for one in cloud.read(placements.pending, 12, order[2])} == {one.id for one in everybody}


def test_a_listing_sees_every_change_and_keeps_what_did_not_change(cloud: Cloud) -> None:
    listing = hosts.Listing()
    before = cloud.read(listing.read, 60.0)
    assert before == {host.name: host for host in cloud.read(hosts.listed, 60.0)}
    claim(cloud, (launched(cloud)[0], "host-1"))
    after = cloud.read(listing.read, 60.0)
    assert after["host-1"].instances == 1
    assert after["host-2"] is before["host-2"]
    cloud.clock.advance(100)
    assert not any(one.alive for one in cloud.read(listing.read, 60.0).values())
