"""JSON schemas of the network API's request bodies, one per operation. What is not named here is refused."""

from typing import Any

Schema = dict[str, Any]

NAME: Schema = {"type": "string", "maxLength": 255}
TEXT: Schema = {"type": "string", "maxLength": 255}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "string", "minLength": 1, "maxLength": 64}
OPTIONAL_ID: Schema = {"type": ["string", "null"], "maxLength": 64}
IDS: Schema = {"type": "array", "items": ID, "maxItems": 100}
ADDRESS: Schema = {"type": "string", "minLength": 1, "maxLength": 64}
OPTIONAL_ADDRESS: Schema = {"type": ["string", "null"], "maxLength": 64}
NOTHING: Schema = {"type": "array", "maxItems": 0}
OWNER: Schema = {"tenant_id": ID, "project_id": ID}
MOST_AT_ONCE = 1000


def _object(required: tuple[str, ...], properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _creation(word: str, plural: str, required: tuple[str, ...], properties: Schema) -> Schema:
    one = _object(required, properties | OWNER)
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_AT_ONCE}
    return _object((), {word: one, plural: many}) | {"minProperties": 1, "maxProperties": 1}


def _update(word: str, properties: Schema) -> Schema:
    return _object((word,), {word: _object((), properties)})


_NETWORK: Schema = {"name": NAME, "description": TEXT, "admin_state_up": FLAG, "shared": FLAG,
                    "router:external": FLAG, "mtu": {"type": "integer"}, "port_security_enabled": {"const": True}}
CREATE_NETWORK = _creation("network", "networks", (), _NETWORK | {
    "availability_zone_hints": NOTHING, "is_default": {"const": False},
    "provider:network_type": {"enum": ["flat", "vlan", "vxlan"]}, "provider:physical_network": NAME,
    "provider:segmentation_id": {"type": "integer"}})
UPDATE_NETWORK = _update("network", _NETWORK)

_POOLS: Schema = {"type": "array", "maxItems": 50,
                  "items": _object(("start", "end"), {"start": ADDRESS, "end": ADDRESS})}
_SUBNET: Schema = {"name": NAME, "description": TEXT, "gateway_ip": OPTIONAL_ADDRESS, "enable_dhcp": FLAG,
                   "allocation_pools": _POOLS, "dns_nameservers": {"type": "array", "items": ADDRESS},
                   "host_routes": NOTHING, "service_types": NOTHING}
_SLAAC: Schema = {"enum": ["slaac", None]}
CREATE_SUBNET = _creation("subnet", "subnets", ("network_id", "cidr"), _SUBNET | {
    "network_id": ID, "cidr": ADDRESS, "ip_version": {"enum": [4, 6, "4", "6"]}, "ipv6_ra_mode": _SLAAC,
    "ipv6_address_mode": _SLAAC, "subnetpool_id": {"type": "null"}})
UPDATE_SUBNET = _update("subnet", _SUBNET)

_FIXED_IPS: Schema = {"type": "array", "maxItems": 1,
                      "items": _object((), {"subnet_id": ID, "ip_address": ADDRESS}) | {"minProperties": 1}}
_PORT: Schema = {"name": NAME, "description": TEXT, "admin_state_up": FLAG, "port_security_enabled": FLAG,
                 "security_groups": {"anyOf": [IDS, {"type": "null"}]}, "device_id": NAME, "device_owner": NAME,
                 "allowed_address_pairs": NOTHING, "extra_dhcp_opts": NOTHING,
                 "binding:vnic_type": {"const": "normal"}, "binding:profile": {"type": "object", "maxProperties": 0}}
CREATE_PORT = _creation("port", "ports", ("network_id",), _PORT | {
    "network_id": ID, "fixed_ips": _FIXED_IPS, "mac_address": ADDRESS})
UPDATE_PORT = _update("port", _PORT)

_FLOATING: Schema = {"port_id": OPTIONAL_ID, "fixed_ip_address": OPTIONAL_ADDRESS, "description": TEXT}
CREATE_FLOATING_IP = _creation("floatingip", "floatingips", ("floating_network_id",), _FLOATING | {
    "floating_network_id": ID, "floating_ip_address": OPTIONAL_ADDRESS})
UPDATE_FLOATING_IP = _update("floatingip", _FLOATING)

_GROUP: Schema = {"name": NAME, "description": TEXT}
CREATE_GROUP = _creation("security_group", "security_groups", (), _GROUP | {"stateful": FLAG})
UPDATE_GROUP = _update("security_group", _GROUP)

_PORT_NUMBER: Schema = {"anyOf": [{"type": ["integer", "null"]}, {"type": "string", "pattern": "^[0-9]{1,5}$"}]}
CREATE_RULE = _creation("security_group_rule", "security_group_rules", ("security_group_id", "direction"), {
    "security_group_id": ID, "direction": {"enum": ["ingress", "egress"]}, "ethertype": {"enum": ["IPv4", "IPv6"]},
    "protocol": {"type": ["string", "integer", "null"]}, "port_range_min": _PORT_NUMBER,
    "port_range_max": _PORT_NUMBER, "remote_ip_prefix": OPTIONAL_ADDRESS, "remote_group_id": OPTIONAL_ID,
    "remote_address_group_id": {"type": "null"}, "description": TEXT})

_LIMIT: Schema = {"type": "integer", "minimum": -1, "maximum": 2**31 - 1}
UPDATE_QUOTA = _update("quota", {
    "network": _LIMIT, "subnet": _LIMIT, "port": _LIMIT, "floatingip": _LIMIT, "security_group": _LIMIT,
    "security_group_rule": _LIMIT} | OWNER)
