"""Builders: records with sensible defaults, so that a test names only what it is about."""

from typing import Any

from attrs import evolve

from stackd.model.assignments import InstanceAssignment
from stackd.model.flavors import Flavor
from stackd.model.guests import Guest
from stackd.model.hosts import Host, HostCapacity
from stackd.model.images import ImageFile, ImageSnapshot
from stackd.model.instances import GuestState, Instance, InstanceDesired, ObservedInstance
from stackd.model.networks import Port

PROJECT = "a" * 32
USER = "b" * 32

FLAVOR = Flavor(id="t2.nano", name="t2.nano", vcpus=1, memory_mib=512, disk_gib=1)
IMAGE = ImageSnapshot(id="c" * 32, name="tiny",
                      disk=ImageFile(id="c" * 32, disk_format="raw", size=1024, checksum="0" * 32))


def an_instance(**fields: Any) -> Instance:
    """An instance that was launched and placed and is desired RUNNING."""
    defaults: dict[str, Any] = dict(
        id="d" * 32, project_id=PROJECT, user_id=USER, name="web", hostname="web", reservation_id="e" * 32,
        launch_index=0, flavor=FLAVOR, image=IMAGE, host="host-1", zone="zone-a", placement_epoch=1,
        launched_at=100.0, created_at=90.0,
        observed=ObservedInstance(state=GuestState.RUNNING, generation=1, at=100.0))
    return Instance(**{**defaults, **fields})


def a_guest(state: GuestState = GuestState.RUNNING, **fields: Any) -> Guest:
    """A look at the guest of :func:`an_instance`; prepared unless said otherwise."""
    return Guest(**{"id": "d" * 32, "state": state, "prepared": True, **fields})


def a_port(**fields: Any) -> Port:
    """A port of :func:`an_instance` on its host."""
    return Port(**{"id": "f" * 32, "project_id": PROJECT, "network_id": "1" * 32, "mac": "fa:16:3e:00:00:01",
                   "device_id": "d" * 32, "host": "host-1", **fields})


def an_assignment(instance: Instance | None = None, ports: tuple[Port, ...] = (),
                  desired: InstanceDesired | None = None) -> InstanceAssignment:
    """What a host is told of an instance."""
    one = instance or an_instance()
    return InstanceAssignment(instance=evolve(one, desired=desired) if desired else one, ports=ports)


def a_host(name: str = "host-1", **fields: Any) -> Host:
    """An empty host of 8 CPUs, 16 GiB of memory and 100 GiB of disk that is alive."""
    return Host(**{"id": name, "name": name, "zone": "zone-a", "vcpus": 8, "memory_mib": 16384, "disk_gib": 100,
                   "capacity": HostCapacity(vcpus=8, memory_mib=16384, disk_gib=100), "silent": (), **fields})
