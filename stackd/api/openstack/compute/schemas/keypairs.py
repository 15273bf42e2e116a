"""Bodies of ``/os-keypairs``."""

from stackd.api.openstack.compute.microversions import Body, Property
from stackd.api.openstack.compute.schemas.types import NAME

CREATE = Body(
    "keypair",
    Property("name", NAME, required=True),
    Property("public_key", {"type": "string"}, until=(2, 92)),
    Property("public_key", {"type": "string"}, since=(2, 92), required=True),
    Property("type", {"enum": ["ssh"]}, since=(2, 2)),
    Property("user_id", {"type": "string", "minLength": 1, "maxLength": 64}, since=(2, 10)),
)
