"""Hosts whose workers die and come back: what their guests are told, what users see, and where launches go."""

import pytest

from stackd import errors
from stackd.model.faults import Steady
from stackd.model.instances import Instance, LaunchRequest
from stackd.testing.cloud import MemoryCloud
from stackd.workers.network import NetworkWorker
from stackd.workers.remote import RemoteAssignments


@pytest.fixture
def cloud() -> MemoryCloud:
    """A running cloud of two hosts."""
    return MemoryCloud().start()


def launched(cloud: MemoryCloud, name: str = "web", user_data: bytes | None = None) -> str:
    """The id of a new instance; it does not run yet."""
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", name=name, user_data=user_data)
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
