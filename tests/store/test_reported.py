"""Reports: a guest that ended is its host's concern until a second look, whatever the host's clock says."""

from attrs import evolve

from stackd.model.assignments import FetchRequest, InstanceReport, Report
from stackd.model.ids import new_id
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance
from stackd.store import assigned, instances, reported, stamps
from stackd.testing.projects import Cloud
from stackd.testing.records import an_instance

HOST = "host-1"


def tell_absent(cloud: Cloud, id: str, counter: int, at: float) -> None:
    """The host says that the guest is gone, as it saw at this moment of its own clock."""
    tell(cloud, id, counter, ObservedInstance(state=GuestState.ABSENT, generation=2, at=at))


def tell(cloud: Cloud, id: str, counter: int, observed: ObservedInstance) -> None:
    """The host says what it saw."""
    instance = cloud.read(instances.of_ids, [id])[id]
    said = InstanceReport(id=id, epoch=instance.placement_epoch, observed=observed)
    cloud.write(reported.apply_all, [Report(host=HOST, worker="compute", session=1, counter=counter,
                                            instances=(said,))])


def is_assigned(cloud: Cloud, id: str) -> bool:
    """Whether the host is told of the instance."""
    request = FetchRequest(host=HOST, worker="compute", session=1)
    return id in {one.instance.id for one in cloud.read(assigned.fetch_all, [request], "now")[0].instances}


def deleted(cloud: Cloud) -> Instance:
    """An instance that ran, and shall be gone."""
    made = an_instance(id=new_id(), host=HOST)
    cloud.hosts(HOST)
    cloud.write(instances.insert_all, [made], 1, "")
    cloud.write(lambda tx: tx.stamp(HOST, "instance", [made.id]))
    cloud.write(instances.save_all, [(evolve(made, desired=InstanceDesired.DELETED, generation=2), True)])
    return made


def test_a_late_word_of_a_guest_that_still_runs_is_no_second_look() -> None:
    cloud = Cloud()
    made = deleted(cloud)
    assert cloud.write(reported.end_on_lost_hosts, 60.0) == 1
    cloud.clock.advance(4000.0)
    tell(cloud, made.id, 1, ObservedInstance(state=GuestState.RUNNING, generation=1, at=cloud.clock.seconds()))
    assert is_assigned(cloud, made.id)
    assert cloud.write(reported.purge, 3600.0) == 0
    cloud.write(stamps.forget, "instance", [made.id])
    assert cloud.write(reported.purge, 3600.0) == 0, "its host has not said that it is gone"
    tell_absent(cloud, made.id, 2, cloud.clock.seconds())
    assert cloud.write(reported.purge, 3600.0) == 1


def test_a_clock_that_goes_ahead_makes_no_second_look() -> None:
    cloud = Cloud()
    made = deleted(cloud)
    tell_absent(cloud, made.id, 1, cloud.clock.seconds() + 3600.0)
    tell_absent(cloud, made.id, 2, cloud.clock.seconds() + 3601.0)
    assert is_assigned(cloud, made.id)
    cloud.clock.advance(61.0)
    tell_absent(cloud, made.id, 3, cloud.clock.seconds() + 3600.0)
    assert not is_assigned(cloud, made.id)
