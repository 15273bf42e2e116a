"""Servers as Nova shows them: one row per field, with the microversions that show it."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from stackd.api.openstack.compute.microversions import Shown, view
from stackd.api.openstack.compute.routing import bookmark, links
from stackd.api.openstack.compute.statuses import TABLE, Standing
from stackd.api.openstack.compute.views.interfaces import addresses
from stackd.api.openstack.compute.views.times import fine_moment, moment
from stackd.api.openstack.http import Call
from stackd.model import ids, kinds
from stackd.model.devices import domain_name
from stackd.model.faults import Phase, Steady, Transition
from stackd.model.hosts import Host
from stackd.model.images import ImageFile
from stackd.model.instances import Instance, InstanceView

_UNKNOWN = Phase(Steady.BUILDING, Transition.SCHEDULING)


@frozen(kw_only=True)
class Facts:
    """What is shown beside servers and is not theirs: names of networks, states of hosts."""

    networks: Mapping[str, str] = field(factory=dict)
    hosts: Mapping[str, str] = field(factory=dict)
    user_datas: Mapping[str, bytes] = field(factory=dict)


@frozen
class Server:
    """An instance with everything a field of its view is made of."""

    seen: InstanceView
    facts: Facts
    call: Call

    @property
    def instance(self) -> Instance:
        """The instance itself."""
        return self.seen.instance

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self.seen.instance.phase or _UNKNOWN

    @property
    def standing(self) -> Standing:
        """The same in Nova's words."""
        return TABLE[self.phase.steady, self.phase.transition]


def _of(name: str) -> Callable[[Server], Any]:
    return lambda server: getattr(server.instance, name)


def _image(server: Server) -> dict[str, Any]:
    id = ids.dashed(server.instance.image.id)
    return {"id": id, "links": [bookmark(server.call, "images", id)]}


def _flavor(server: Server) -> dict[str, Any]:
    id = server.instance.flavor.id
    return {"id": id, "links": [bookmark(server.call, "flavors", id)]}


def _embedded_flavor(server: Server) -> dict[str, Any]:
    flavor = server.instance.flavor
    return {"original_name": flavor.name, "vcpus": flavor.vcpus, "ram": flavor.memory_mib, "disk": flavor.disk_gib,
            "ephemeral": 0, "swap": 0, "extra_specs": dict(flavor.extra_specs)}


def _file_id(file: ImageFile | None) -> str:
    return ids.dashed(file.id) if file else ""


def _user_data(server: Server) -> str | None:
    content = server.facts.user_datas.get(server.instance.id)
    return b64encode(content).decode() if content else None


def host_status(host: Host) -> str:
    """The state of a host as its servers show it."""
    if not host.enabled:
        return "MAINTENANCE"
    return "UP" if host.computes else "UNKNOWN"


def host_id(instance: Instance) -> str:
    """A word that tells a project which of its servers share a host, and nothing else; empty without a host."""
    return hashlib.sha224(f"{instance.project_id}{instance.host}".encode()).hexdigest() if instance.host else ""


def groups(seen: InstanceView) -> list[dict[str, str]]:
    """The names of the groups an instance's ports are in, each once."""
    return [{"name": name} for name in dict.fromkeys(group.name for port in seen.ports for group in port.groups)]


def reservation_id(id: str) -> str:
    """A reservation's id, as EC2 writes it too."""
    return ids.ec2_id(kinds.RESERVATION, id)


_REFERENCE: tuple[Shown[Server], ...] = (
    Shown("id", lambda server: ids.dashed(server.instance.id)),
    Shown("links", lambda server: links(server.call, "servers", ids.dashed(server.instance.id))),
)
_BRIEF: tuple[Shown[Server], ...] = (*_REFERENCE, Shown("name", _of("name")))
_CORE: tuple[Shown[Server], ...] = (
    *_BRIEF,
    Shown("status", lambda server: server.standing.status),
    Shown("tenant_id", _of("project_id")),
    Shown("user_id", _of("user_id")),
    Shown("metadata", lambda server: dict(server.instance.metadata)),
    Shown("hostId", lambda server: host_id(server.instance)),
    Shown("image", _image),
    Shown("flavor", _flavor, until=(2, 47)),
    Shown("flavor", _embedded_flavor, since=(2, 47)),
    Shown("created", lambda server: moment(server.instance.created_at)),
    Shown("updated", lambda server: moment(server.instance.updated_at)),
    Shown("addresses", lambda server: addresses(server.seen, server.facts.networks)),
    Shown("accessIPv4", _of("access_ipv4")),
    Shown("accessIPv6", _of("access_ipv6")),
    Shown("OS-DCF:diskConfig", lambda server: "MANUAL"),
    Shown("locked", _of("locked"), since=(2, 9)),
    Shown("description", lambda server: server.instance.description or None, since=(2, 19)),
    Shown("tags", lambda server: list(server.instance.labels), since=(2, 26)),
    Shown("trusted_image_certificates", lambda server: None, since=(2, 63)),
    Shown("locked_reason", lambda server: server.instance.lock_reason or None, since=(2, 73)),
)
_EXTENDED: tuple[Shown[Server], ...] = (
    Shown("OS-EXT-AZ:availability_zone", lambda server: server.instance.zone or server.instance.zone_wanted),
    Shown("config_drive", lambda server: "True" if server.instance.config_drive else ""),
    Shown("key_name", lambda server: server.instance.key_name or None),
    Shown("OS-SRV-USG:launched_at", lambda server: fine_moment(server.instance.launched_at)),
    Shown("OS-SRV-USG:terminated_at", lambda server: fine_moment(server.instance.ended_at)),
    Shown("OS-EXT-STS:task_state", lambda server: server.standing.task_state),
    Shown("OS-EXT-STS:vm_state", lambda server: server.standing.vm_state),
    Shown("OS-EXT-STS:power_state", lambda server: server.standing.power_state),
    Shown("os-extended-volumes:volumes_attached", lambda server: []),
    Shown("OS-EXT-SRV-ATTR:reservation_id", lambda server: reservation_id(server.instance.reservation_id),
          since=(2, 3), admin=True),
    Shown("OS-EXT-SRV-ATTR:launch_index", _of("launch_index"), since=(2, 3), admin=True),
    Shown("OS-EXT-SRV-ATTR:hostname", _of("hostname"), since=(2, 3), admin=True),
    Shown("OS-EXT-SRV-ATTR:kernel_id", lambda server: _file_id(server.instance.image.kernel), since=(2, 3),
          admin=True),
    Shown("OS-EXT-SRV-ATTR:ramdisk_id", lambda server: _file_id(server.instance.image.ramdisk), since=(2, 3),
          admin=True),
    Shown("OS-EXT-SRV-ATTR:root_device_name", lambda server: "/dev/vda", since=(2, 3), admin=True),
    Shown("OS-EXT-SRV-ATTR:user_data", _user_data, since=(2, 3), admin=True),
    Shown("OS-EXT-SRV-ATTR:host", lambda server: server.instance.host or None, admin=True),
    Shown("OS-EXT-SRV-ATTR:hypervisor_hostname", lambda server: server.instance.host or None, admin=True),
    Shown("OS-EXT-SRV-ATTR:instance_name", lambda server: domain_name(server.instance.id), admin=True),
    Shown("host_status", lambda server: server.facts.hosts.get(server.instance.host, ""), since=(2, 16), admin=True),
)
_ALONE: tuple[Shown[Server], ...] = (Shown("server_groups", lambda server: [], since=(2, 71)),)


def brief(server: Server) -> dict[str, Any]:
    """An item of a list."""
    return view(_BRIEF, server, server.call.version)


def full(server: Server) -> dict[str, Any]:
    """An item of a detailed list."""
    shown = _core(server, _CORE + _EXTENDED)
    if found := groups(server.seen):
        shown["security_groups"] = found
    return shown


def alone(server: Server) -> dict[str, Any]:
    """One server."""
    return {**full(server), **view(_ALONE, server, server.call.version)}


def updated(server: Server) -> dict[str, Any]:
    """One server after a change, which showed less until 2.75."""
    return _core(server, _CORE + _ALONE)


def _core(server: Server, rows: tuple[Shown[Server], ...]) -> dict[str, Any]:
    shown = view(rows, server, server.call.version, server.call.caller.is_admin)
    standing = server.standing
    if standing.status in ("ACTIVE", "BUILD"):
        shown["progress"] = 100 if standing.status == "ACTIVE" else 0
    fault = server.instance.fault
    if fault is not None and standing.status in ("ERROR", "DELETED"):
        shown["fault"] = {"code": 500, "created": moment(fault.at), "message": fault.message}
        if server.call.caller.is_admin:
            shown["fault"]["details"] = fault.detail
    return shown


def created(seen: InstanceView, call: Call, password: str) -> dict[str, Any]:
    """What the answer to a creation shows."""
    shown = view(_REFERENCE, Server(seen, Facts(), call), call.version)
    return {**shown, "OS-DCF:diskConfig": "MANUAL", "adminPass": password, "security_groups": groups(seen)}
