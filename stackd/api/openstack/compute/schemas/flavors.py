"""Bodies of ``/flavors``."""

from stackd.api.openstack.compute.microversions import Body, Property, Schema
from stackd.api.openstack.compute.schemas.types import FLAG, NAME

_LARGEST = 2**31 - 1


def _amount(least: int) -> Schema:
    return {"anyOf": [{"type": "integer", "minimum": least, "maximum": _LARGEST},
                      {"type": "string", "pattern": f"^{'[1-9]' if least else '[0-9]'}[0-9]{{0,8}}$"}]}


_NONE: Schema = {"enum": [0, "0", ""]}
CREATE = Body(
    "flavor",
    Property("name", NAME, required=True),
    Property("ram", _amount(1), required=True),
    Property("vcpus", _amount(1), required=True),
    Property("disk", _amount(0), required=True),
    Property("id", {"type": ["string", "integer", "null"], "minLength": 1, "maxLength": 255,
                    "pattern": r"^[a-zA-Z0-9._-]([a-zA-Z0-9. _-]*[a-zA-Z0-9._-])?$"}),
    Property("OS-FLV-EXT-DATA:ephemeral", _NONE),
    Property("swap", _NONE),
    Property("rxtx_factor", {"enum": [1, 1.0, "1", "1.0"]}),
    Property("os-flavor-access:is_public", FLAG),
    Property("description", {"type": ["string", "null"], "maxLength": 65535}, since=(2, 55)),
)
