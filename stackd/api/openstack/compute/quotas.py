"""``/v2.1/limits`` and ``/v2.1/os-quota-sets``: what projects may use, and do."""

from stackd.api.openstack.compute.routing import Operations, app, offered
from stackd.api.openstack.compute.schemas import quotas as schemas
from stackd.api.openstack.compute.views import quotas as views
from stackd.api.openstack.http import Answer, Call
from stackd.model.quotas import QuotaSet


class Quotas(Operations):
    """Limits of projects."""

    @app.route("/v2.1/limits", methods=["GET"])
    @offered()
    async def show_limits(self, call: Call) -> Answer:
        """Of the caller's project, or of the one an admin names. There are no limits of rate."""
        project_id = call.arg("tenant_id") or call.caller.project_id
        limits, used = await self.cloud.quotas.show(call.caller, project_id)
        return Answer({"limits": {"rate": [], "absolute": views.absolute(limits, used, call.version)}})

    @app.route("/v2.1/os-quota-sets/<project_id>", methods=["GET"])
    @offered()
    async def show_quota(self, call: Call, project_id: str) -> Answer:
        """The limits."""
        limits = await self.cloud.quotas.limits(call.caller, project_id)
        return Answer({"quota_set": {"id": project_id, **views.limits_of(limits, call.version)}})

    @app.route("/v2.1/os-quota-sets/<project_id>/defaults", methods=["GET"])
    @offered()
    async def show_default_quota(self, call: Call, project_id: str) -> Answer:
        """The limits that projects begin with."""
        await self.cloud.quotas.limits(call.caller, project_id)
        return Answer({"quota_set": {"id": project_id, **views.limits_of(QuotaSet(), call.version)}})

    @app.route("/v2.1/os-quota-sets/<project_id>/detail", methods=["GET"])
    @offered()
    async def show_quota_details(self, call: Call, project_id: str) -> Answer:
        """Limits and usage."""
        limits, used = await self.cloud.quotas.show(call.caller, project_id)
        return Answer({"quota_set": {"id": project_id, **views.details_of(limits, used, call.version)}})

    @app.route("/v2.1/os-quota-sets/<project_id>", methods=["PUT"])
    @offered(schemas.UPDATE)
    async def update_quota(self, call: Call, project_id: str) -> Answer:
        """Set limits; for admins. They may be below what is used."""
        body = call.body["quota_set"]
        asked = {row.ours: int(body[row.name]) for row in views.LIMITS if row.ours and row.name in body}
        limits = await self.cloud.quotas.change(call.caller, project_id, asked)
        return Answer({"quota_set": views.limits_of(limits, call.version)})

    @app.route("/v2.1/os-quota-sets/<project_id>", methods=["DELETE"])
    @offered()
    async def reset_quota(self, call: Call, project_id: str) -> Answer:
        """Back to the default limits; for admins."""
        await self.cloud.quotas.reset(call.caller, project_id)
        return Answer(None, 202)

    @app.route("/v2.1/os-quota-class-sets/<name>", methods=["GET"])
    @offered()
    async def show_quota_class(self, call: Call, name: str) -> Answer:
        """The default limits once more; every class has them."""
        return Answer({"quota_class_set": {"id": name, **views.class_limits(QuotaSet(), call.version)}})
