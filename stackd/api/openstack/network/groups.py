"""``/v2.0/security-groups`` and ``/v2.0/security-group-rules``."""

from typing import Any

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.network import schemas, views
from stackd.api.openstack.network.listing import chosen, ids_of, listed
from stackd.api.openstack.network.routing import Operations, app, created, key, optional_key, project_of
from stackd.model import kinds
from stackd.model.groups import Direction, RuleRequest, SecurityGroup, SecurityGroupRule


class SecurityGroups(Operations):
    """Security groups and their rules."""

    @app.route("/v2.0/security-groups", methods=["GET"])
    @operation()
    async def list_groups(self, call: Call) -> Answer:
        """The project's groups; all for admins."""
        found = await self.cloud.groups.list(call.caller, ids_of(call, "id"), all_projects=call.caller.is_admin)
        return listed(call, "security_groups", [views.group(group) for group in found])

    @app.route("/v2.0/security-groups", methods=["POST"])
    @operation(schemas.CREATE_GROUP)
    async def create_group(self, call: Call) -> Answer:
        """Make one or many."""
        async def create(body: dict[str, Any]) -> SecurityGroup:
            return await self.cloud.groups.create(
                call.caller, body.get("name", ""), body.get("description", ""),
                stateful=body.get("stateful", True), project_id=project_of(body))

        async def remove(group: SecurityGroup) -> None:
            await self.cloud.groups.delete(call.caller, group.id)

        return await created(call, "security_group", "security_groups", create, remove, views.group)

    @app.route("/v2.0/security-groups/<id>", methods=["GET"])
    @operation()
    async def show_group(self, call: Call, id: str) -> Answer:
        """Show."""
        found = await self.cloud.groups.get(call.caller, key(kinds.SECURITY_GROUP, id))
        return Answer({"security_group": chosen(call, views.group(found))})

    @app.route("/v2.0/security-groups/<id>", methods=["PUT"])
    @operation(schemas.UPDATE_GROUP)
    async def update_group(self, call: Call, id: str) -> Answer:
        """Rename or describe."""
        body = call.body["security_group"]
        found = await self.cloud.groups.update(call.caller, key(kinds.SECURITY_GROUP, id), body.get("name"),
                                               body.get("description"))
        return Answer({"security_group": views.group(found)})

    @app.route("/v2.0/security-groups/<id>", methods=["DELETE"])
    @operation()
    async def delete_group(self, call: Call, id: str) -> Answer:
        """Delete."""
        await self.cloud.groups.delete(call.caller, key(kinds.SECURITY_GROUP, id))
        return Answer(None, 204)

    @app.route("/v2.0/security-group-rules", methods=["GET"])
    @operation()
    async def list_rules(self, call: Call) -> Answer:
        """The project's rules; all for admins."""
        found = await self.cloud.groups.list_rules(call.caller, ids_of(call, "id"), ids_of(call, "security_group_id"),
                                                   all_projects=call.caller.is_admin)
        return listed(call, "security_group_rules", [views.rule(rule) for rule in found])

    @app.route("/v2.0/security-group-rules", methods=["POST"])
    @operation(schemas.CREATE_RULE)
    async def create_rule(self, call: Call) -> Answer:
        """Add one or many."""
        async def create(body: dict[str, Any]) -> SecurityGroupRule:
            group_id = key(kinds.SECURITY_GROUP, body["security_group_id"])
            (rule,) = await self.cloud.groups.add_rules(call.caller, group_id, [_asked(body)])
            return rule

        async def remove(rule: SecurityGroupRule) -> None:
            await self.cloud.groups.remove_rules(call.caller, rule.group_id, [rule.id])

        return await created(call, "security_group_rule", "security_group_rules", create, remove, views.rule)

    @app.route("/v2.0/security-group-rules/<id>", methods=["GET"])
    @operation()
    async def show_rule(self, call: Call, id: str) -> Answer:
        """Show."""
        found = await self.cloud.groups.get_rule(call.caller, key(kinds.SECURITY_GROUP_RULE, id))
        return Answer({"security_group_rule": chosen(call, views.rule(found))})

    @app.route("/v2.0/security-group-rules/<id>", methods=["DELETE"])
    @operation()
    async def delete_rule(self, call: Call, id: str) -> Answer:
        """Remove."""
        found = await self.cloud.groups.get_rule(call.caller, key(kinds.SECURITY_GROUP_RULE, id))
        await self.cloud.groups.remove_rules(call.caller, found.group_id, [found.id])
        return Answer(None, 204)


def _asked(body: dict[str, Any]) -> RuleRequest:
    protocol = body.get("protocol")
    return RuleRequest(
        direction=Direction(body["direction"]), ethertype=body.get("ethertype", "IPv4"),
        protocol="" if protocol is None else str(protocol), port_min=_number(body.get("port_range_min")),
        port_max=_number(body.get("port_range_max")), remote_cidr=body.get("remote_ip_prefix") or "",
        remote_group_id=optional_key(kinds.SECURITY_GROUP, body.get("remote_group_id")) or "",
        description=body.get("description", ""))


def _number(value: int | str | None) -> int | None:
    return None if value is None else int(value)
