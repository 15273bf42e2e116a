"""Several daemons of a kind, workers that overtake each other and hosts that are gone: nothing is lost or doubled."""

from collections import Counter

import pytest

from stackd.model.events import Event
from stackd.model.instances import LaunchRequest
from stackd.rules.ownership import CONDUCTOR
from stackd.store import events
from stackd.testing import settled
from stackd.testing.cloud import MemoryCloud
from stackd.testing.saboteur import Blow, Moment
from stackd.workers.settings import WorkerSettings

SECOND_LOOK = 70.0
GONE = 60.0


def started(hosts: int = 2) -> MemoryCloud:
    """A cloud that looks twice soon."""
    return MemoryCloud(hosts=hosts, worker_settings=WorkerSettings(second_look=SECOND_LOOK)).start()


def launch(cloud: MemoryCloud, count: int, name: str = "web", zone: str = "") -> list[str]:
    """The ids of new instances."""
    made = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name=name, max_count=count, zone=zone)))
    return [view.instance.id for view in made.instances]


def rest(cloud: MemoryCloud, patience: float = 240.0) -> None:
    """Let time pass until nobody has anything to do."""
    deadline = cloud.clock.seconds() + patience
    while waiting := settled.unsettled(cloud):
        assert cloud.clock.seconds() < deadline, waiting
        cloud.advance(1)


def rest_and_check(cloud: MemoryCloud) -> None:
    """Everything rests and fits, also after the second looks."""
    rest(cloud)
    cloud.advance(SECOND_LOOK + 10)
    settled.check(cloud)


@pytest.mark.parametrize("daemon", ["conductor", "scheduler"])
@pytest.mark.parametrize("at", range(3))
def test_of_two_of_a_kind_one_dies_while_both_work(daemon: str, at: int) -> None:
    for moment in Moment:
        cloud = started()
        for name in ("conductor", "scheduler"):
            cloud.add(f"{name}-2", name)
        cloud.saboteur.blow = Blow(daemon, at, moment)
        cloud.saboteur.counting = True
        ids = launch(cloud, 6)
        cloud.advance(0.5)
        cloud.run(cloud.core.instances.terminate(cloud.caller, ids[:2]))
        rest_and_check(cloud)
        assert cloud.saboteur.struck


def test_schedulers_that_look_at_the_same_rows_place_each_once() -> None:
    cloud = started()
    for number in range(2, 5):
        cloud.add(f"scheduler-{number}", "scheduler")
    ids = [id for _ in range(4) for id in launch(cloud, 5)]
    rest_and_check(cloud)
    assert all(cloud.row(id).host for id in ids)
    placed = Counter(event.resource_id for id in ids for event in _events(cloud, id) if event.action == "placed")
    assert placed == Counter(ids)


def test_a_report_whose_conductor_died_between_applying_and_acknowledging_counts_once() -> None:
    calls = _launched_with(None).saboteur.calls["conductor"]
    writes = [at for at, what in enumerate(calls) if what == "database.write"]
    assert writes
    for at in writes:
        for moment in (Moment.AFTER, Moment.LATE):
            cloud = _launched_with(Blow("conductor", at, moment))
            assert cloud.saboteur.struck  # on a broker not always in the same call
            id = settled.all_instances(cloud)[0].id
            told = [event.action for event in _events(cloud, id) if event.actor == "compute@host-1"]
            assert told and len(told) == len(set(told)), told


def _launched_with(blow: Blow | None) -> MemoryCloud:
    cloud = started(hosts=1)
    cloud.saboteur.blow = blow
    cloud.saboteur.counting = True
    launch(cloud, 1)
    rest(cloud)
    cloud.saboteur.counting = False
    rest_and_check(cloud)
    return cloud


def test_a_compute_worker_is_overtaken_by_a_second_one_of_its_host() -> None:
    """The lock of the host forbids it; should it happen nevertheless, the newer session's word counts."""
    cloud = started(hosts=1)
    ids = launch(cloud, 3)
    cloud.advance(0.4)
    cloud.add("compute@host-1 again", "compute@host-1")
    rest(cloud)
    cloud.run(cloud.core.instances.stop(cloud.caller, ids[:1]))
    cloud.run(cloud.core.instances.terminate(cloud.caller, ids[1:2]))
    rest(cloud)
    cloud.kill("compute@host-1")
    cloud.run(cloud.core.instances.terminate(cloud.caller, ids[2:]))
    rest_and_check(cloud)


def test_a_host_that_was_gone_holds_what_it_should_and_nothing_else_when_it_is_back() -> None:
    cloud = started()
    ids = launch(cloud, 4)
    rest(cloud)
    mine = [id for id in ids if cloud.row(id).host == "host-1"]
    for worker in ("compute@host-1", "network@host-1"):
        cloud.kill(worker)
    cloud.advance(GONE + 10)
    cloud.run(cloud.core.instances.terminate(cloud.caller, mine[:1]))
    cloud.advance(20)
    assert cloud.row(mine[0]).ended_at is not None, "users need not wait for a host that is gone"
    more = launch(cloud, 3)
    cloud.advance(70)
    assert {cloud.row(id).host for id in more} == {"host-2"}
    assert mine[0] in cloud.host("host-1").guests.guests, "nobody was there to remove it"
    for worker in ("network@host-1", "compute@host-1"):
        cloud.build(worker)
    rest_and_check(cloud)
    assert mine[0] not in cloud.host("host-1").guests.guests


def test_a_conductor_that_is_away_for_long_finds_everything_told() -> None:
    cloud = started()
    ids = launch(cloud, 2)
    cloud.advance(0.3)
    cloud.kill(CONDUCTOR)
    cloud.advance(GONE + 30)
    cloud.build(CONDUCTOR)
    cloud.run(cloud.core.instances.terminate(cloud.caller, ids[:1]))
    rest_and_check(cloud)


def _events(cloud: MemoryCloud, id: str) -> tuple[Event, ...]:
    """The history of an instance."""
    return cloud.run(cloud.database.read(events.of_resource, id))
