"""The scheduler in a cloud on a Clock: spreading, reservations, several schedulers side by side."""

from collections import Counter

import pytest

from stackd.drivers.hypervisors.fake import FakeOptions
from stackd.model.faults import Steady
from stackd.model.hosts import HostCapacity
from stackd.model.instances import InstanceQuery, LaunchRequest, OnLaunchFault
from stackd.model.paging import PageRequest
from stackd.scheduler.service import SchedulerSettings
from stackd.testing.cloud import MemoryCloud

FOUR = FakeOptions(capacity=HostCapacity(vcpus=4, memory_mib=1 << 20, disk_gib=1000))


def launch(cloud: MemoryCloud, count: int, at_least: int = 1) -> list[str]:
    """Launch tiny instances."""
    made = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name="web", min_count=at_least, max_count=count)))
    return [view.instance.id for view in made.instances]


def spread(cloud: MemoryCloud) -> Counter[str]:
    """How many instances each host has; the empty name for those without one."""
    page = cloud.run(cloud.core.instances.list(cloud.caller, InstanceQuery(), PageRequest()))
    return Counter(view.instance.host for view in page)


def test_a_batch_is_spread_over_the_hosts() -> None:
    cloud = MemoryCloud(hosts=4, options=FOUR).start()
    launch(cloud, 8)
    cloud.advance(3)
    assert set(spread(cloud).values()) == {2}


def test_a_reservation_that_must_go_together_waits_as_a_whole() -> None:
    cloud = MemoryCloud(hosts=2, options=FOUR).start()
    first = launch(cloud, 6)
    cloud.advance(3)
    launch(cloud, 3, at_least=3)
    cloud.advance(10)
    assert spread(cloud)[""] == 3
    cloud.run(cloud.core.instances.terminate(cloud.caller, first[:1]))
    cloud.advance(10)
    assert spread(cloud) == Counter({"host-1": 4, "host-2": 4})


@pytest.mark.parametrize("settings", [SchedulerSettings(), SchedulerSettings(batch=1), SchedulerSettings(batch=2)])
@pytest.mark.parametrize("room, placed", [(1, 0), (2, 2), (3, 3)])
def test_fewer_than_the_minimum_launches_none(room: int, placed: int, settings: SchedulerSettings) -> None:
    capacity = HostCapacity(vcpus=room, memory_mib=1 << 20, disk_gib=1000)
    cloud = MemoryCloud(hosts=1, options=FakeOptions(capacity=capacity), scheduler_settings=settings).start()
    launched = [cloud.row(id) for id in launch(cloud, 3, at_least=2)]
    cloud.advance(50)
    assert spread(cloud)["host-1"] == placed
    cloud.advance(30)
    rows = [cloud.row(one.id) for one in launched]
    assert [one.phase.steady for one in rows if one.phase] == [Steady.ACTIVE] * placed + [Steady.ERROR] * (3 - placed)
    assert len({one.fault.message for one in rows if one.fault}) == (placed < 3)


def test_extras_end_with_their_minimum() -> None:
    """Also those that come in a batch of their own; and what is freed then is not given to any of them."""
    cloud = MemoryCloud(hosts=1, options=FOUR, scheduler_settings=SchedulerSettings(batch=2)).start()
    first = launch(cloud, 3)
    cloud.advance(3)
    made = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name="web", min_count=2, max_count=6,
        on_launch_fault=OnLaunchFault.TERMINATE)))
    cloud.advance(80)
    cloud.run(cloud.core.instances.terminate(cloud.caller, first))
    cloud.advance(10)
    rows = [cloud.row(view.instance.id) for view in made.instances]
    assert [one.phase.steady for one in rows if one.phase] == [Steady.DELETED] * 6
    assert spread(cloud) == Counter()


def test_what_does_not_fit_does_not_hold_up_what_does() -> None:
    cloud = MemoryCloud(hosts=1, options=FOUR).start()
    big = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="m5.2xlarge", name="big")))
    small = launch(cloud, 1)[0]
    cloud.advance(5)
    assert cloud.row(small).host == "host-1"
    assert cloud.row(big.instances[0].instance.id).host == ""


def test_a_reservation_that_waits_does_not_hold_up_what_fits() -> None:
    cloud = MemoryCloud(hosts=1, options=FOUR).start()
    whole = launch(cloud, 5, at_least=5)
    cloud.advance(1)
    alone = launch(cloud, 1)[0]
    cloud.advance(10)
    assert cloud.row(alone).host == "host-1"
    assert {cloud.row(id).host for id in whole} == {""}


def test_a_small_sample_is_widened_when_nothing_in_it_fits() -> None:
    settings = SchedulerSettings(sample=1)
    cloud = MemoryCloud(hosts=5, options=FOUR, scheduler_settings=settings).start()
    launch(cloud, 20)
    cloud.advance(10)
    assert spread(cloud) == Counter({f"host-{number}": 4 for number in range(1, 6)})


def test_several_schedulers_never_claim_too_much() -> None:
    cloud = MemoryCloud(hosts=3, options=FOUR, scheduler_settings=SchedulerSettings(deadline=20.0)).start()
    cloud.add("scheduler-2", "scheduler")
    cloud.add("scheduler-3", "scheduler")
    ids = launch(cloud, 15)
    cloud.advance(40)
    assert spread(cloud) == Counter({"host-1": 4, "host-2": 4, "host-3": 4, "": 3})
    states = Counter(phase.steady for id in ids if (phase := cloud.row(id).phase))
    assert states == Counter({Steady.ACTIVE: 12, Steady.ERROR: 3})
    for host in cloud.run(cloud.core.hosts.list(cloud.admin)):
        assert host.used_vcpus == 4


def test_pages_of_what_fits_nowhere_do_not_hold_up_others() -> None:
    settings = SchedulerSettings(look_ahead=4, batch=2)
    cloud = MemoryCloud(hosts=1, options=FOUR, scheduler_settings=settings).start()
    cloud.kill("scheduler")
    for _ in range(30):
        cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
            image_id=cloud.image.id, flavor_id="m5.2xlarge", name="big")))
    small = [launch(cloud, 1)[0] for _ in range(3)]
    cloud.build("scheduler")
    cloud.advance(1)
    assert {cloud.row(id).host for id in small} == {"host-1"}


def test_a_reservation_as_large_as_a_page_does_not_hold_up_others() -> None:
    settings = SchedulerSettings(look_ahead=2, batch=2)
    cloud = MemoryCloud(hosts=1, options=FOUR, scheduler_settings=settings).start()
    cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="m5.2xlarge", name="big", max_count=3)))
    cloud.advance(10)
    small = launch(cloud, 1)[0]
    cloud.advance(20)
    assert cloud.row(small).host == "host-1"
