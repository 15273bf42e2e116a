"""Tenants who write as much as they may: no host is kept from its work by what it must be told."""

from typing import Any

import orjson
import pytest
from attrs import evolve

from stackd import errors
from stackd.drivers.hypervisors.fake import FakeOptions
from stackd.interfaces.bus import LARGEST
from stackd.model import wire
from stackd.model.callers import Caller
from stackd.model.faults import Steady
from stackd.model.hosts import HostCapacity
from stackd.model.images import Image
from stackd.model.instances import Instance, LaunchRequest
from stackd.testing.cloud import MemoryCloud
from tests.cloud.test_hosts import asked

COUNT = 72
FAT = {f"{number:03}" + "x" * 250: "\N{ELEPHANT}" * 95 for number in range(100)}


def cloud_of_one() -> MemoryCloud:
    """One host with room for all."""
    room = HostCapacity(vcpus=1000, memory_mib=1_000_000, disk_gib=10_000)
    return MemoryCloud(hosts=1, options=FakeOptions(capacity=room)).start()


def launched(cloud: MemoryCloud, count: int, metadata: dict[str, str]) -> list[Instance]:
    """So many at once, running."""
    made = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", min_count=count, max_count=count, metadata=metadata)))
    ids = [each.instance.id for each in made.instances]
    cloud.until(lambda: all(is_active(cloud.row(id)) for id in ids))
    return [cloud.row(id) for id in ids]


def describe(cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch, properties: dict[str, str]) -> None:
    """Give the image these properties."""
    show = cloud.images.show

    async def described(caller: Caller, image_id: str) -> Image:
        return evolve(await show(caller, image_id), properties=properties)

    monkeypatch.setattr(cloud.images, "show", described)


def is_active(instance: Instance) -> bool:
    """Whether it runs."""
    return instance.phase is not None and instance.phase.steady is Steady.ACTIVE


def test_a_host_learns_of_more_than_one_message_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of instances that were placed at once, and when it begins anew."""
    cloud = cloud_of_one()
    describe(cloud, monkeypatch, {"os_command_line": "x" * 60_000})
    many = launched(cloud, COUNT, FAT)
    assert len(orjson.dumps(wire.dump(many))) > LARGEST
    for name in ("compute@host-1", "network@host-1"):
        cloud.kill(name)
        cloud.build(name)
    cloud.advance(20)
    assert all(asked(cloud, one) == cloud.row(one.id) for one in many)
    cloud.run(cloud.core.instances.stop(cloud.caller, [many[0].id]))
    cloud.until(lambda: not is_active(cloud.row(many[0].id)))


@pytest.mark.parametrize("splits", [True, False])
def test_pages_of_one_row_miss_none(splits: bool) -> None:
    """A worker of an earlier release, that could not say where it is inside a stamp, gets the whole of it."""
    cloud = cloud_of_one()
    cloud.kill("compute@host-1")
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", min_count=3, max_count=3)
    made = cloud.run(cloud.core.instances.launch(cloud.caller, request))
    ids = {each.instance.id for each in made.instances}
    cloud.until(lambda: all(cloud.row(id).host for id in ids))
    told: list[list[str]] = []
    known: dict[str, Any] = {"incarnation": "", "number": 0}
    more = True
    while more:
        question = {"host": "host-1", "worker": "compute", "session": 1, "known": known, "most": 1}
        page = cloud.run(cloud.bus.call("conductor", "fetch", question | ({"splits": True} if splits else {})))
        told.append([one["instance"]["id"] for one in page["instances"]])
        known, more = page["version"], page["more"]
    assert [len(ids) for ids in told] == ([1, 1, 1] if splits else [3])
    assert {id for page in told for id in page} == ids


def test_hosts_are_not_told_what_nobody_reads_of_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """But what guests boot with, and are shown."""
    cloud = cloud_of_one()
    describe(cloud, monkeypatch, {"os_command_line": "quiet", "architecture": "x86_64", "poem": "x" * 60_000})
    one, = launched(cloud, 1, {})
    assert "poem" in one.image.properties
    told = asked(cloud, one)
    assert told is not None
    assert told.image.properties == {"os_command_line": "quiet", "architecture": "x86_64"}


def test_metadata_does_not_grow_beyond_what_is_kept_by_adding_to_it() -> None:
    """What is there counts."""
    cloud = cloud_of_one()
    one, = launched(cloud, 1, FAT)
    more = {f"more-{number}": "x" * 255 for number in range(20)}
    with pytest.raises(errors.InvalidValue, match="at most 65535"):
        cloud.run(cloud.core.instances.set_metadata(cloud.admin, one.id, more))
    assert cloud.row(one.id).metadata == FAT
    cloud.run(cloud.core.instances.set_metadata(cloud.admin, one.id, more, replace=True))
    assert cloud.row(one.id).metadata == more
