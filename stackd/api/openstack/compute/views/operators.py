"""Zones, services and hypervisors as Nova shows them."""

import json
import uuid
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from stackd.api.openstack.compute.microversions import Shown, Version, view
from stackd.api.openstack.compute.views.times import fine_moment
from stackd.model import ids
from stackd.model.devices import domain_name
from stackd.model.hosts import Host, WorkerContact
from stackd.model.instances import InstanceView

BINARIES = {"compute": "nova-compute", "conductor": "nova-conductor", "scheduler": "nova-scheduler"}
"""Worker -> the name that Nova's clients look for."""
INTERNAL = "internal"
_NAMESPACE = uuid.UUID("5b1f1c6c-93e8-4a58-9d3f-6c7f0ad8f7a2")


def _number(id: str) -> int:
    """The id below 2.53, where ids are small numbers."""
    return int(id[:7], 16)


def zone(name: str, available: bool, hosts: dict[str, Any] | None) -> dict[str, Any]:
    """A zone."""
    return {"zoneName": name, "zoneState": {"available": available}, "hosts": hosts}


def compute_daemon(host: Host) -> dict[str, Any]:
    """The compute daemon of a host, as zones show it."""
    return {BINARIES["compute"]: {"available": host.computes, "active": host.enabled,
                                  "updated_at": fine_moment(host.last_seen)}}


def control_daemons(workers: Iterable[WorkerContact]) -> dict[str, Any]:
    """The daemons that belong to no zone, by host."""
    found: dict[str, Any] = {}
    for worker in workers:
        if worker.worker in BINARIES and worker.worker != "compute":
            found.setdefault(worker.host, {})[BINARIES[worker.worker]] = {
                "available": worker.alive, "active": True, "updated_at": fine_moment(worker.last_seen)}
    return found


@frozen(kw_only=True)
class Daemon:
    """A worker as a service of Nova; ``host`` is the row of its host where it is a compute worker."""

    contact: WorkerContact
    host: Host | None = None

    @property
    def id(self) -> str:
        """Dashed; that of the host where there is one."""
        if self.host is not None:
            return ids.dashed(self.host.id)
        return str(uuid.uuid5(_NAMESPACE, f"{self.contact.worker}@{self.contact.host}"))

    @property
    def binary(self) -> str:
        """Nova's name of it."""
        return BINARIES[self.contact.worker]


def daemons(workers: Iterable[WorkerContact], hosts: Iterable[Host]) -> list[Daemon]:
    """All that Nova would know."""
    by_name = {host.name: host for host in hosts}
    return [Daemon(contact=worker, host=by_name.get(worker.host) if worker.worker == "compute" else None)
            for worker in workers if worker.worker in BINARIES]


_SERVICE: tuple[Shown[Daemon], ...] = (
    Shown("id", lambda daemon: _number(daemon.id.replace("-", "")), until=(2, 53)),
    Shown("id", lambda daemon: daemon.id, since=(2, 53)),
    Shown("binary", lambda daemon: daemon.binary),
    Shown("host", lambda daemon: daemon.contact.host),
    Shown("zone", lambda daemon: daemon.host.zone if daemon.host else INTERNAL),
    Shown("status", lambda daemon: "enabled" if daemon.host is None or daemon.host.enabled else "disabled"),
    Shown("state", lambda daemon: "up" if daemon.contact.alive else "down"),
    Shown("updated_at", lambda daemon: fine_moment(daemon.contact.last_seen)),
    Shown("disabled_reason", lambda daemon: (daemon.host.disabled_reason if daemon.host else "") or None),
    Shown("forced_down", lambda daemon: False, since=(2, 11)),
)


def service(daemon: Daemon, version: Version) -> dict[str, Any]:
    """A service."""
    return view(_SERVICE, daemon, version)


def _cpu(host: Host) -> dict[str, Any]:
    return {"arch": host.capacity.architecture}


def _service_of(host: Host, id: Any) -> dict[str, Any]:
    return {"id": id, "host": host.name, "disabled_reason": host.disabled_reason or None}


def hypervisor_name(host: Host) -> str:
    """What a hypervisor is called."""
    return host.capacity.hypervisor_hostname or host.name


_BRIEF: tuple[Shown[Host], ...] = (
    Shown("id", lambda host: _number(host.id), until=(2, 53)),
    Shown("id", lambda host: ids.dashed(host.id), since=(2, 53)),
    Shown("hypervisor_hostname", hypervisor_name),
    Shown("state", lambda host: "up" if host.computes else "down"),
    Shown("status", lambda host: "enabled" if host.enabled else "disabled"),
)
_FULL: tuple[Shown[Host], ...] = (
    *_BRIEF,
    Shown("service", lambda host: _service_of(host, _number(host.id)), until=(2, 53)),
    Shown("service", lambda host: _service_of(host, ids.dashed(host.id)), since=(2, 53)),
    Shown("hypervisor_type", lambda host: host.capacity.hypervisor_type),
    Shown("hypervisor_version", lambda host: host.capacity.hypervisor_version),
    Shown("host_ip", lambda host: None),
    Shown("uptime", lambda host: None, since=(2, 88)),
    Shown("vcpus", lambda host: host.capacity.vcpus, until=(2, 88)),
    Shown("vcpus_used", lambda host: host.used_vcpus, until=(2, 88)),
    Shown("memory_mb", lambda host: host.capacity.memory_mib, until=(2, 88)),
    Shown("memory_mb_used", lambda host: host.used_memory_mib, until=(2, 88)),
    Shown("free_ram_mb", lambda host: host.capacity.memory_mib - host.used_memory_mib, until=(2, 88)),
    Shown("local_gb", lambda host: host.capacity.disk_gib, until=(2, 88)),
    Shown("local_gb_used", lambda host: host.used_disk_gib, until=(2, 88)),
    Shown("free_disk_gb", lambda host: host.capacity.disk_gib - host.used_disk_gib, until=(2, 88)),
    Shown("disk_available_least", lambda host: None, until=(2, 88)),
    Shown("running_vms", lambda host: host.instances, until=(2, 88)),
    Shown("current_workload", lambda host: 0, until=(2, 88)),
    Shown("cpu_info", lambda host: json.dumps(_cpu(host)), until=(2, 28)),
    Shown("cpu_info", _cpu, since=(2, 28), until=(2, 88)),
)


def brief_hypervisor(host: Host, version: Version) -> dict[str, Any]:
    """An item of a list."""
    return view(_BRIEF, host, version)


def full_hypervisor(host: Host, version: Version) -> dict[str, Any]:
    """Everything."""
    return view(_FULL, host, version)


def guest(seen: InstanceView) -> dict[str, str]:
    """A server of a hypervisor."""
    return {"uuid": ids.dashed(seen.instance.id), "name": domain_name(seen.instance.id)}


def uptime(host: Host, version: Version) -> dict[str, Any]:
    """Since when a hypervisor is up: not known."""
    return {**brief_hypervisor(host, version), "uptime": None}


def statistics(hosts: Iterable[Host]) -> dict[str, int]:
    """The sums over all hypervisors that take placements."""
    up = [full_hypervisor(host, (2, 1)) for host in hosts if host.enabled]
    summed = ("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used",
              "free_disk_gb", "running_vms", "current_workload")
    # Free space that hosts could not measure counts as what is not claimed.
    return {"count": len(up), **{name: sum(one[name] for one in up) for name in summed},
            "disk_available_least": sum(one["free_disk_gb"] for one in up)}
