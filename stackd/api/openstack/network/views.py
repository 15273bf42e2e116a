"""Records of the network side as Neutron shows them; pure functions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from stackd.model import ids
from stackd.model.addresses import FloatingIP
from stackd.model.groups import SecurityGroup, SecurityGroupRule
from stackd.model.hosts import WorkerContact
from stackd.model.networks import Network, Port, Subnet, WiringState

View = dict[str, Any]


def moment(at: float) -> str:
    """A time as Neutron writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shared(record: Any, generation: int = 1) -> View:
    updated = getattr(record, "updated_at", 0.0) or record.created_at
    return {"id": ids.dashed(record.id), "project_id": record.project_id, "tenant_id": record.project_id,
            "description": record.description, "revision_number": generation, "tags": [],
            "created_at": moment(record.created_at), "updated_at": moment(updated)}


def _id(id: str) -> str | None:
    return ids.dashed(id) if id else None


def network(network: Network, admin: bool) -> View:
    """A network; admins also see what it stands on."""
    provider = {"provider:network_type": None if network.external else network.type.value,
                "provider:physical_network": network.physical_network or None,
                "provider:segmentation_id": network.segment or None}
    return {**_shared(network, network.generation), "name": network.name, "status": "ACTIVE",
            "admin_state_up": network.admin_state_up, "shared": network.shared, "router:external": network.external,
            "is_default": network.is_default, "mtu": network.mtu, "port_security_enabled": True,
            "subnets": [ids.dashed(id) for id in network.subnet_ids], "availability_zones": [],
            "availability_zone_hints": [], "ipv4_address_scope": None, "ipv6_address_scope": None,
            **(provider if admin else {})}


def subnet(subnet: Subnet) -> View:
    """A subnet. IPv6 ones are always announced by routers (SLAAC)."""
    mode = "slaac" if subnet.ip_version == 6 and subnet.dhcp else None
    return {**_shared(subnet), "name": subnet.name, "network_id": ids.dashed(subnet.network_id),
            "cidr": subnet.cidr, "ip_version": subnet.ip_version, "gateway_ip": subnet.gateway_ip or None,
            "enable_dhcp": subnet.dhcp, "dns_nameservers": list(subnet.dns), "host_routes": [],
            "allocation_pools": [{"start": pool.start, "end": pool.end} for pool in subnet.pools],
            "ipv6_address_mode": mode, "ipv6_ra_mode": mode, "subnetpool_id": None, "service_types": []}


def port(port: Port, admin: bool) -> View:
    """A port; admins also see where it is."""
    binding = {"binding:host_id": port.host, "binding:vif_type": "bridge" if port.host else "unbound",
               "binding:vif_details": {"port_filter": True} if port.host else {}, "binding:profile": {}}
    device = ids.parse_uuid(port.device_id)
    return {**_shared(port, port.generation), "name": port.name, "network_id": ids.dashed(port.network_id),
            "mac_address": port.mac, "admin_state_up": port.admin_state_up, "status": port_status(port),
            "device_id": ids.dashed(device) if device else port.device_id, "device_owner": port.device_owner,
            "fixed_ips": [{"subnet_id": ids.dashed(one.subnet_id), "ip_address": one.address}
                          for one in port.fixed_ips],
            "security_groups": [ids.dashed(group.id) for group in port.groups], "binding:vnic_type": "normal",
            "port_security_enabled": port.port_security, "allowed_address_pairs": [], "extra_dhcp_opts": [],
            **(binding if admin else {})}


def port_status(port: Port) -> str:
    """``ACTIVE`` when it is wired, ``BUILD`` while its host works on it, ``DOWN`` when nobody does."""
    if not port.admin_state_up or not port.host:
        return "DOWN"
    if port.fault is not None:
        return "ERROR"
    return "ACTIVE" if port.observed is WiringState.WIRED else "BUILD"


def floating_ip(floating: FloatingIP) -> View:
    """A floating address."""
    return {**_shared(floating, floating.generation), "floating_ip_address": floating.address,
            "floating_network_id": ids.dashed(floating.network_id), "fixed_ip_address": floating.fixed_ip or None,
            "port_id": _id(floating.port_id), "router_id": None, "port_details": None,
            "status": "ACTIVE" if floating.port_id else "DOWN"}


def rule(rule: SecurityGroupRule) -> View:
    """A rule of a security group."""
    return {**_shared(rule), "security_group_id": ids.dashed(rule.group_id), "direction": rule.direction.value,
            "ethertype": rule.ethertype, "protocol": rule.protocol or None, "port_range_min": rule.port_min,
            "port_range_max": rule.port_max, "remote_ip_prefix": rule.remote_cidr or None,
            "normalized_cidr": rule.remote_cidr or None, "remote_group_id": _id(rule.remote_group_id),
            "remote_address_group_id": None, "belongs_to_default_sg": None}


def group(group: SecurityGroup) -> View:
    """A security group with its rules."""
    return {**_shared(group, group.generation), "name": group.name, "stateful": group.stateful, "shared": False,
            "security_group_rules": [rule(one) for one in group.rules]}


def availability(network: Network, subnets: list[Subnet], used: Mapping[str, int]) -> View:
    """How many addresses of a network are there and in use."""
    parts = [{"subnet_id": ids.dashed(one.id), "subnet_name": one.name, "cidr": one.cidr,
              "ip_version": one.ip_version, "used_ips": used.get(one.id, 0),
              "total_ips": _size(one)} for one in subnets]
    return {"id": ids.dashed(network.id), "network_id": ids.dashed(network.id), "network_name": network.name,
            "tenant_id": network.project_id, "project_id": network.project_id, "subnet_ip_availability": parts,
            "used_ips": sum(part["used_ips"] for part in parts),
            "total_ips": sum(part["total_ips"] for part in parts)}


def _size(subnet: Subnet) -> int:
    return sum(int(ip_address(pool.end)) - int(ip_address(pool.start)) + 1 for pool in subnet.pools)


def agent(contact: WorkerContact) -> View:
    """A network worker, in Neutron's word an agent."""
    seen = datetime.fromtimestamp(contact.last_seen, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return {"id": f"{contact.worker}@{contact.host}", "binary": "stack-network", "host": contact.host,
            "agent_type": "Network worker", "topic": contact.worker, "alive": contact.alive,
            "admin_state_up": True, "availability_zone": None, "heartbeat_timestamp": seen,
            "configurations": {}, "resources_synced": None}
