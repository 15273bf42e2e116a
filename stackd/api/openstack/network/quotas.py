"""``/v2.0/quotas``: limits and usage of projects, in Neutron's words."""

from typing import Any

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.network import schemas
from stackd.api.openstack.network.routing import Operations, app
from stackd.model.quotas import QuotaSet

_WORDS = {"network": "networks", "subnet": "subnets", "port": "ports", "floatingip": "floating_ips",
          "security_group": "security_groups", "security_group_rule": "security_group_rules"}


class Quotas(Operations):
    """Quotas of the network side."""

    @app.route("/v2.0/quotas", methods=["GET"])
    @operation()
    async def list_quotas(self, call: Call) -> Answer:
        """The limits of the caller's own project."""
        own = call.caller.project_id
        limits = await self.cloud.quotas.limits(call.caller, own)
        return Answer({"quotas": [_limits(limits) | {"project_id": own, "tenant_id": own}]})

    @app.route("/v2.0/quotas/<any(tenant, project):word>", methods=["GET"])
    @operation()
    async def show_own(self, call: Call, word: str) -> Answer:
        """Which project the caller acts in."""
        own = call.caller.project_id
        return Answer({word: {"project_id": own, "tenant_id": own}})

    @app.route("/v2.0/quotas/<project_id>", methods=["GET"])
    @operation()
    async def show_quota(self, call: Call, project_id: str) -> Answer:
        """The limits of a project."""
        return Answer({"quota": _limits(await self.cloud.quotas.limits(call.caller, project_id))})

    @app.route("/v2.0/quotas/<project_id>/default", methods=["GET"])
    @operation()
    async def show_default(self, call: Call, project_id: str) -> Answer:
        """The limits a project begins with."""
        await self.cloud.quotas.limits(call.caller, project_id)
        return Answer({"quota": _limits(QuotaSet())})

    @app.route("/v2.0/quotas/<project_id>/details", methods=["GET"])
    @app.route("/v2.0/quotas/<project_id>/details.json", methods=["GET"])
    @operation()
    async def show_details(self, call: Call, project_id: str) -> Answer:
        """Limits beside what is used; nothing is ever reserved, for usage is counted."""
        limits, used = await self.cloud.quotas.show(call.caller, project_id)
        return Answer({"quota": {word: {"limit": getattr(limits, name), "used": getattr(used, name), "reserved": 0}
                                 for word, name in _WORDS.items()}})

    @app.route("/v2.0/quotas/<project_id>", methods=["PUT"])
    @operation(schemas.UPDATE_QUOTA)
    async def update_quota(self, call: Call, project_id: str) -> Answer:
        """Set limits; for admins."""
        asked = {_WORDS[word]: limit for word, limit in call.body["quota"].items() if word in _WORDS}
        return Answer({"quota": _limits(await self.cloud.quotas.change(call.caller, project_id, asked))})

    @app.route("/v2.0/quotas/<project_id>", methods=["DELETE"])
    @operation()
    async def reset_quota(self, call: Call, project_id: str) -> Answer:
        """Set the limits of the network side to those a project begins with; for admins."""
        defaults = QuotaSet()
        await self.cloud.quotas.change(call.caller, project_id,
                                       {name: getattr(defaults, name) for name in _WORDS.values()})
        return Answer(None, 204)


def _limits(limits: QuotaSet) -> dict[str, Any]:
    return {word: getattr(limits, name) for word, name in _WORDS.items()}
