"""Roles and their assignment to users in projects."""

from typing import Any

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.identity import schemas, views
from stackd.api.openstack.identity.projects import taken
from stackd.api.openstack.identity.routing import Operations, app, flag, listing, page_of, root
from stackd.model.identities import Assignment
from stackd.model.paging import Page

_ONE = "/v3/projects/<project_id>/users/<user_id>/roles/<role_id>"


class Roles(Operations):
    """``/v3/roles``, ``/v3/role_assignments``, and roles below projects and users."""

    @app.route("/v3/roles", methods=["GET"])
    @operation()
    async def list_roles(self, call: Call) -> Answer:
        """List, with the filter ``name``."""
        found = await self.identity.roles.list(call.caller, page_of(call), call.arg("name"))
        return listing(call, "roles", found, views.role)

    @app.route("/v3/roles", methods=["POST"])
    @operation(schemas.CREATE_ROLE)
    async def create_role(self, call: Call) -> Answer:
        """Create."""
        asked = call.body["role"]
        made = await self.identity.roles.create(call.caller, asked["name"], asked.get("description") or "")
        return Answer({"role": views.role(root(call), made)}, 201)

    @app.route("/v3/roles/<role_id>", methods=["GET"])
    @operation()
    async def show_role(self, call: Call, role_id: str) -> Answer:
        """Show."""
        return Answer({"role": views.role(root(call), await self.identity.roles.get(call.caller, role_id))})

    @app.route("/v3/roles/<role_id>", methods=["PATCH"])
    @operation(schemas.UPDATE_ROLE)
    async def update_role(self, call: Call, role_id: str) -> Answer:
        """Change."""
        changes = taken(call.body["role"], ("name", "description"))
        changed = await self.identity.roles.update(call.caller, role_id, changes)
        return Answer({"role": views.role(root(call), changed)})

    @app.route("/v3/roles/<role_id>", methods=["DELETE"])
    @operation()
    async def delete_role(self, call: Call, role_id: str) -> Answer:
        """Delete."""
        await self.identity.roles.delete(call.caller, role_id)
        return Answer(None, 204)

    @app.route("/v3/projects/<project_id>/users/<user_id>/roles", methods=["GET"])
    @operation()
    async def list_roles_held(self, call: Call, project_id: str, user_id: str) -> Answer:
        """The roles of a user in a project."""
        held = await self.identity.roles.held(call.caller, user_id, project_id)
        return listing(call, "roles", Page(held), views.role)

    @app.route(_ONE, methods=["PUT"])
    @operation()
    async def grant_role(self, call: Call, project_id: str, user_id: str, role_id: str) -> Answer:
        """Let a user hold a role."""
        await self.identity.roles.grant(call.caller, user_id, project_id, role_id)
        return Answer(None, 204)

    @app.route(_ONE, methods=["GET"])
    @operation()
    async def check_role(self, call: Call, project_id: str, user_id: str, role_id: str) -> Answer:
        """Whether a user holds a role, also by HEAD."""
        await self.identity.roles.demand_held(call.caller, user_id, project_id, role_id)
        return Answer(None, 204)

    @app.route(_ONE, methods=["DELETE"])
    @operation()
    async def revoke_role(self, call: Call, project_id: str, user_id: str, role_id: str) -> Answer:
        """Take a role away."""
        await self.identity.roles.revoke(call.caller, user_id, project_id, role_id)
        return Answer(None, 204)

    @app.route("/v3/role_assignments", methods=["GET"])
    @operation()
    async def list_assignments(self, call: Call) -> Answer:
        """Who holds what where, with Keystone's filters; names when ``include_names`` asks for them."""
        found = await self.identity.roles.assignments(
            call.caller, call.arg("user.id"), call.arg("scope.project.id"), call.arg("role.id"))
        shown = [_assignment(root(call), assignment) for assignment in found]
        if flag(call, "include_names"):
            for assignment in shown:
                await self._name(call, assignment)
        return Answer({"role_assignments": shown, "links": {"self": f"{root(call)}/role_assignments"}})

    async def _name(self, call: Call, shown: dict[str, Any]) -> None:
        """Add the names of user and project."""
        user = await self.identity.users.get(call.caller, shown["user"]["id"])
        project = await self.identity.projects.get(call.caller, shown["scope"]["project"]["id"])
        shown["user"] |= {"name": user.name, "domain": views.DOMAIN}
        shown["scope"]["project"] |= {"name": project.name, "domain": views.DOMAIN}


def _assignment(root: str, held: Assignment) -> dict[str, Any]:
    address = f"{root}/projects/{held.project_id}/users/{held.user_id}/roles/{held.role_id}"
    return {"role": {"id": held.role_id, "name": held.role}, "user": {"id": held.user_id},
            "scope": {"project": {"id": held.project_id}}, "links": {"assignment": address}}
