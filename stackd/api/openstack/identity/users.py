"""Users and their passwords."""

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.identity import schemas, views
from stackd.api.openstack.identity.projects import demand_default_domain, taken
from stackd.api.openstack.identity.routing import Operations, app, flag, listing, page_of, root
from stackd.model.identities import User

_TEXTS = ("name", "email", "description", "enabled", "default_project_id")


class Users(Operations):
    """``/v3/users``."""

    @app.route("/v3/users", methods=["GET"])
    @operation()
    async def list_users(self, call: Call) -> Answer:
        """List, with the filters ``name`` and ``enabled``."""
        found = await self.identity.users.list(call.caller, page_of(call), call.arg("name"), flag(call, "enabled"))
        return listing(call, "users", found, views.user)

    @app.route("/v3/users", methods=["POST"])
    @operation(schemas.CREATE_USER)
    async def create_user(self, call: Call) -> Answer:
        """Create."""
        asked = call.body["user"]
        demand_default_domain(asked)
        made = await self.identity.users.create(call.caller, User(id="", **taken(asked, _TEXTS)), asked.get("password"))
        return Answer({"user": views.user(root(call), made)}, 201)

    @app.route("/v3/users/<user_id>", methods=["GET"])
    @operation()
    async def show_user(self, call: Call, user_id: str) -> Answer:
        """Show."""
        found = await self.identity.users.get(call.caller, user_id)
        return Answer({"user": views.user(root(call), found)})

    @app.route("/v3/users/<user_id>", methods=["PATCH"])
    @operation(schemas.UPDATE_USER)
    async def update_user(self, call: Call, user_id: str) -> Answer:
        """Change."""
        asked = call.body["user"]
        demand_default_domain(asked)
        changes = taken(asked, _TEXTS)
        if asked.get("password") is not None:
            changes["password"] = asked["password"]
        changed = await self.identity.users.update(call.caller, user_id, changes)
        return Answer({"user": views.user(root(call), changed)})

    @app.route("/v3/users/<user_id>", methods=["DELETE"])
    @operation()
    async def delete_user(self, call: Call, user_id: str) -> Answer:
        """Delete."""
        await self.identity.users.delete(call.caller, user_id)
        return Answer(None, 204)

    @app.route("/v3/users/<user_id>/password", methods=["POST"])
    @operation(schemas.CHANGE_PASSWORD)
    async def change_password(self, call: Call, user_id: str) -> Answer:
        """A user's own change of password."""
        asked = call.body["user"]
        await self.identity.users.change_password(call.caller, user_id, asked["original_password"], asked["password"])
        return Answer(None, 204)

    @app.route("/v3/users/<user_id>/groups", methods=["GET"])
    @operation()
    async def list_groups_of_user(self, call: Call, user_id: str) -> Answer:
        """The groups of a user: none, roles are held by users alone."""
        await self.identity.users.get(call.caller, user_id)
        return Answer({"groups": [], "links": {"self": f"{root(call)}/users/{user_id}/groups"}})
