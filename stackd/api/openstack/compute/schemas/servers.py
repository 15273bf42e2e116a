"""Bodies of ``/servers``."""

from stackd.api.openstack.compute.microversions import Body, Property, Schema
from stackd.api.openstack.compute.schemas.types import (
    COUNT,
    FLAG,
    METADATA,
    NAME,
    NOTHING,
    OPTIONAL_TEXT,
    TEXT,
    UUID,
    exactly,
    several,
)

_ADDRESS: Schema = {"type": "string", "minLength": 1, "maxLength": 64}
_REF: Schema = {"type": ["string", "integer"], "minLength": 1, "maxLength": 255}
_NETWORK: Schema = {"uuid": UUID, "port": {"anyOf": [UUID, {"type": "null"}]}, "fixed_ip": _ADDRESS}
_NETWORKS = several(exactly(**_NETWORK), 100)
# Only what says in other words that the root disk is a copy of the image.
_DISK = exactly(("source_type",), uuid=UUID, source_type={"const": "image"}, destination_type={"const": "local"},
                boot_index={"enum": [0, "0"]}, delete_on_termination={"enum": [True, "True", "true", "1"]},
                device_name={"type": "null"})
_DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 255}
_DISK_CONFIG: Schema = {"enum": ["AUTO", "MANUAL"]}
_HINTS: Schema = {"type": "object", "properties": dict.fromkeys(
    ("group", "different_host", "same_host", "query", "build_near_host_ip", "cidr"), False),
    "additionalProperties": True}

ACCESS_IPV4: Schema = {"type": "string", "anyOf": [{"const": ""}, {"format": "ipv4"}]}
ACCESS_IPV6: Schema = {"type": "string", "anyOf": [{"const": ""}, {"format": "ipv6"}]}
TAG: Schema = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}

CREATE = Body(
    "server",
    Property("name", NAME, required=True),
    Property("flavorRef", _REF, required=True),
    Property("imageRef", {"anyOf": [UUID, {"const": ""}]}),
    Property("adminPass", TEXT),
    Property("networks", {"anyOf": [_NETWORKS, {"type": "null"}]}, until=(2, 37)),
    Property("networks", {"anyOf": [_NETWORKS, {"enum": ["auto", "none"]}]}, required=True, since=(2, 37)),
    Property("security_groups", several(exactly(name=NAME), 100)),
    Property("key_name", {"anyOf": [NAME, {"type": "null"}]}),
    Property("user_data", {"type": ["string", "null"], "maxLength": 65535}),
    Property("metadata", METADATA),
    Property("min_count", COUNT),
    Property("max_count", COUNT),
    Property("return_reservation_id", FLAG),
    Property("availability_zone", OPTIONAL_TEXT),
    Property("config_drive", {"anyOf": [FLAG, {"enum": ["", None]}]}),
    Property("OS-DCF:diskConfig", _DISK_CONFIG),
    Property("block_device_mapping_v2", several(_DISK, 1)),
    Property("block_device_mapping", NOTHING),
    Property("accessIPv4", ACCESS_IPV4),
    Property("accessIPv6", ACCESS_IPV6),
    Property("personality", NOTHING, until=(2, 57)),
    Property("description", _DESCRIPTION, since=(2, 19)),
    Property("tags", several(TAG, 50) | {"uniqueItems": True}, since=(2, 52)),
    Property("trusted_image_certificates", {"type": "null"}, since=(2, 63)),
    Property("host", NAME, since=(2, 74)),
    Property("hypervisor_hostname", NAME, since=(2, 74)),
    beside=(Property("os:scheduler_hints", _HINTS), Property("OS-SCH-HNT:scheduler_hints", _HINTS)),
)
UPDATE = Body(
    "server",
    Property("name", NAME),
    Property("OS-DCF:diskConfig", _DISK_CONFIG),
    Property("accessIPv4", ACCESS_IPV4),
    Property("accessIPv6", ACCESS_IPV6),
    Property("description", _DESCRIPTION, since=(2, 19)),
    least=1,
)
TAGS = Body("tags", inner=several(TAG, 50) | {"uniqueItems": True})
