"""Projects."""

from typing import Any

from stackd import errors
from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.identity import schemas, views
from stackd.api.openstack.identity.routing import Operations, app, flag, listing, page_of, root
from stackd.model.identities import DEFAULT_DOMAIN


class Projects(Operations):
    """``/v3/projects``."""

    @app.route("/v3/projects", methods=["GET"])
    @operation()
    async def list_projects(self, call: Call) -> Answer:
        """List, with the filters ``name`` and ``enabled``."""
        found = await self.identity.projects.list(call.caller, page_of(call), call.arg("name"), flag(call, "enabled"))
        return listing(call, "projects", found, views.project)

    @app.route("/v3/projects", methods=["POST"])
    @operation(schemas.CREATE_PROJECT)
    async def create_project(self, call: Call) -> Answer:
        """Create."""
        asked = call.body["project"]
        demand_default_domain(asked)
        made = await self.identity.projects.create(call.caller, asked["name"], asked.get("description") or "",
                                                   asked.get("enabled", True))
        return Answer({"project": views.project(root(call), made)}, 201)

    @app.route("/v3/projects/<project_id>", methods=["GET"])
    @operation()
    async def show_project(self, call: Call, project_id: str) -> Answer:
        """Show."""
        found = await self.identity.projects.get(call.caller, project_id)
        return Answer({"project": views.project(root(call), found)})

    @app.route("/v3/projects/<project_id>", methods=["PATCH"])
    @operation(schemas.UPDATE_PROJECT)
    async def update_project(self, call: Call, project_id: str) -> Answer:
        """Change name, description or whether it is enabled."""
        asked = call.body["project"]
        demand_default_domain(asked)
        changes = taken(asked, ("name", "description", "enabled"))
        changed = await self.identity.projects.update(call.caller, project_id, changes)
        return Answer({"project": views.project(root(call), changed)})

    @app.route("/v3/projects/<project_id>", methods=["DELETE"])
    @operation()
    async def delete_project(self, call: Call, project_id: str) -> Answer:
        """Delete."""
        await self.identity.projects.delete(call.caller, project_id)
        return Answer(None, 204)

    @app.route("/v3/users/<user_id>/projects", methods=["GET"])
    @operation()
    async def list_projects_of_user(self, call: Call, user_id: str) -> Answer:
        """The projects a user holds a role in."""
        page = await self.identity.projects.of_user(call.caller, user_id, page_of(call))
        return listing(call, "projects", page, views.project)


def demand_default_domain(asked: dict[str, Any]) -> None:
    """Raise ``NotFound`` for a domain other than the one there is."""
    for name in ("domain_id", "parent_id"):
        if asked.get(name) not in (None, DEFAULT_DOMAIN):
            raise errors.NotFound("domain", asked[name], remedy=f"Use the domain {DEFAULT_DOMAIN}; it is the only one.")


def taken(asked: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The members of a body that change something; null means empty."""
    return {name: "" if asked[name] is None else asked[name] for name in names if name in asked}
