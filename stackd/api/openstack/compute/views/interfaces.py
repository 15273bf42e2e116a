"""Addresses, ports and groups of servers as Nova shows them."""

from collections.abc import Mapping
from typing import Any

from stackd.api.openstack.compute.microversions import Shown, Version, view
from stackd.model import ids
from stackd.model.groups import Direction, SecurityGroup, SecurityGroupRule
from stackd.model.instances import InstanceView
from stackd.model.networks import Port, WiringState


def addresses(seen: InstanceView, names: Mapping[str, str], hardware: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Addresses by the name of their network, the floating ones after those they lead to."""
    found: dict[str, list[dict[str, Any]]] = {}
    for port in seen.ports:
        of_network = found.setdefault(names.get(port.network_id, ids.dashed(port.network_id)), [])
        for fixed in port.fixed_ips:
            for kind, address in (("fixed", fixed.address), ("floating", fixed.floating_ip)):
                if address:
                    more = {"OS-EXT-IPS-MAC:mac_addr": port.mac, "OS-EXT-IPS:type": kind} if hardware else {}
                    of_network.append({"version": 6 if ":" in address else 4, "addr": address, **more})
    return found


_INTERFACE: tuple[Shown[Port], ...] = (
    Shown("port_id", lambda port: ids.dashed(port.id)),
    Shown("net_id", lambda port: ids.dashed(port.network_id)),
    Shown("mac_addr", lambda port: port.mac),
    Shown("port_state", lambda port: "ACTIVE" if port.observed is WiringState.WIRED else "DOWN"),
    Shown("fixed_ips", lambda port: [{"ip_address": fixed.address, "subnet_id": ids.dashed(fixed.subnet_id)}
                                     for fixed in port.fixed_ips]),
    Shown("tag", lambda port: None, since=(2, 70)),
)


def interface(port: Port, version: Version) -> dict[str, Any]:
    """A port as an interface of its server."""
    return view(_INTERFACE, port, version)


def group(group: SecurityGroup) -> dict[str, Any]:
    """A group with what it lets in."""
    return {"id": ids.dashed(group.id), "name": group.name, "description": group.description,
            "tenant_id": group.project_id,
            "rules": [_rule(rule) for rule in group.rules if rule.direction is Direction.INGRESS]}


def _rule(rule: SecurityGroupRule) -> dict[str, Any]:
    everywhere = "::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0"
    return {"id": ids.dashed(rule.id), "parent_group_id": ids.dashed(rule.group_id),
            "ip_protocol": rule.protocol or None, "from_port": rule.port_min, "to_port": rule.port_max,
            "ip_range": {} if rule.remote_group_id else {"cidr": rule.remote_cidr or everywhere},
            "group": {"name": ids.dashed(rule.remote_group_id), "tenant_id": rule.project_id}
            if rule.remote_group_id else {}}
