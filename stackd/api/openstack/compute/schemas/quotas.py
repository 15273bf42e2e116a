"""The body of ``PUT /os-quota-sets/{project_id}``."""

from stackd.api.openstack.compute.microversions import Body, Property
from stackd.api.openstack.compute.schemas.types import FLAG, LIMIT
from stackd.api.openstack.compute.views.quotas import LIMITS

UPDATE = Body(
    "quota_set",
    *(Property(row.name, LIMIT if row.ours else {"enum": [0, "0"]}, since=row.since, until=row.until)
      for row in LIMITS),
    Property("force", FLAG),
    Property("tenant_id", {"type": "string"}),
)
"""What this cloud never has any of can be limited to 0 only."""
