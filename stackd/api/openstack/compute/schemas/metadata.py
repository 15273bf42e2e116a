"""Bodies of ``/servers/{id}/metadata``."""

from stackd.api.openstack.compute.microversions import Body
from stackd.api.openstack.compute.schemas.types import METADATA

MANY = Body("metadata", inner=METADATA)
ONE = Body("meta", inner=METADATA | {"minProperties": 1, "maxProperties": 1})
