"""Reports: a guest that ended is its host's concern until a second look, whatever the host's clock says."""

from attrs import evolve

from stackd.model.assignments import FetchRequest, InstanceReport, Report
from stackd.model.ids import new_id
from stackd.model.instances import GuestState, InstanceDesired, ObservedInstance
from stackd.store import assigned, instances, reported
from stackd.testing.projects import Cloud
from stackd.testing.records import an_instance

HOST = "host-1"


def tell_absent(cloud: Cloud, id: str, counter: int, at: float) -> None:
    """The host says that the guest is gone, as it saw at this moment of its own clock."""
    instance = cloud.read(instances.of_ids, [id])[id]
    said = InstanceReport(id=id, epoch=instance.placement_epoch, observed=ObservedInstance(
        state=GuestState.ABSENT, generation=instance.generation, at=at))
    cloud.write(reported.apply_all, [Report(host=HOST, worker="compute", session=1, counter=counter,
                                            instances=(said,))])


def is_assigned(cloud: Cloud, id: str) -> bool:
    """Whether the host is told of the instance."""
    request = FetchRequest(host=HOST, worker="compute", session=1)
    return id in {one.instance.id for one in cloud.read(assigned.fetch_all, [request], "now")[0].instances}


def test_a_clock_that_goes_ahead_makes_no_second_look() -> None:
    cloud = Cloud()
    made = an_instance(id=new_id(), host=HOST)
    cloud.hosts(HOST)
    cloud.write(instances.insert_all, [made], 1, "")
    cloud.write(lambda tx: tx.stamp(HOST, "instance", [made.id]))
    cloud.write(instances.save_all, [(evolve(made, desired=InstanceDesired.DELETED, generation=2), True)])
    tell_absent(cloud, made.id, 1, cloud.clock.seconds() + 3600.0)
    tell_absent(cloud, made.id, 2, cloud.clock.seconds() + 3601.0)
    assert is_assigned(cloud, made.id)
    cloud.clock.advance(61.0)
    tell_absent(cloud, made.id, 3, cloud.clock.seconds() + 3600.0)
    assert not is_assigned(cloud, made.id)
