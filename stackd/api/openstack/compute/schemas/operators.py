"""Bodies of ``/os-services``."""

from stackd.api.openstack.compute.microversions import Body, Property, Schema
from stackd.api.openstack.compute.schemas.types import NAME

_REASON: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
_WHO = (Property("host", NAME, required=True), Property("binary", NAME, required=True))
ENABLE = Body(None, *_WHO)
DISABLE = Body(None, *_WHO, Property("disabled_reason", _REASON, required=True))
UPDATE = Body(None, Property("status", {"enum": ["enabled", "disabled"]}), Property("disabled_reason", _REASON),
              least=1)
