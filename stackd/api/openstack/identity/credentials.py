"""Credentials of programs: EC2 keys and application credentials."""

from datetime import UTC, datetime
from typing import Any

from stackd import errors
from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.identity import schemas, views
from stackd.api.openstack.identity.routing import Operations, app, root
from stackd.model.identities import ApplicationCredential

_KEYS = "/v3/users/<user_id>/credentials/OS-EC2"
_CREDENTIALS = "/v3/users/<user_id>/application_credentials"


class AccessKeys(Operations):
    """``/v3/users/{user}/credentials/OS-EC2``."""

    @app.route(_KEYS, methods=["GET"])
    @operation()
    async def list_access_keys(self, call: Call, user_id: str) -> Answer:
        """All of a user."""
        found = await self.identity.access_keys.list(call.caller, user_id)
        return Answer({"credentials": [views.access_key(root(call), key) for key in found],
                       "links": {"self": f"{call.base}{call.path}", "next": None, "previous": None}})

    @app.route(_KEYS, methods=["POST"])
    @operation(schemas.CREATE_ACCESS_KEY)
    async def create_access_key(self, call: Call, user_id: str) -> Answer:
        """Make one."""
        made = await self.identity.access_keys.create(call.caller, user_id, call.body["tenant_id"])
        return Answer({"credential": views.access_key(root(call), made)}, 201)

    @app.route(f"{_KEYS}/<access>", methods=["GET"])
    @operation()
    async def show_access_key(self, call: Call, user_id: str, access: str) -> Answer:
        """One."""
        found = await self.identity.access_keys.get(call.caller, user_id, access)
        return Answer({"credential": views.access_key(root(call), found)})

    @app.route(f"{_KEYS}/<access>", methods=["DELETE"])
    @operation()
    async def delete_access_key(self, call: Call, user_id: str, access: str) -> Answer:
        """End one."""
        await self.identity.access_keys.delete(call.caller, user_id, access)
        return Answer(None, 204)


class ApplicationCredentials(Operations):
    """``/v3/users/{user}/application_credentials``."""

    @app.route(_CREDENTIALS, methods=["GET"])
    @operation()
    async def list_application_credentials(self, call: Call, user_id: str) -> Answer:
        """All of a user, with the filter ``name``."""
        found = await self.identity.application_credentials.list(call.caller, user_id)
        name, roles = call.arg("name"), await self._role_ids(call)
        return Answer({"application_credentials": [views.application_credential(root(call), credential, roles)
                                                   for credential in found if name in (None, credential.name)],
                       "links": {"self": f"{call.base}{call.path}", "next": None, "previous": None}})

    @app.route(_CREDENTIALS, methods=["POST"])
    @operation(schemas.CREATE_APPLICATION_CREDENTIAL)
    async def create_application_credential(self, call: Call, user_id: str) -> Answer:
        """Make one."""
        asked, roles = call.body["application_credential"], await self._role_ids(call)
        names = {id: name for name, id in roles.items()}
        wanted = tuple(names.get(role.get("id", ""), role.get("name") or role.get("id", ""))
                       for role in asked.get("roles", ()))
        made = await self.identity.application_credentials.create(call.caller, ApplicationCredential(
            id="", user_id=user_id, project_id="", name=asked["name"], description=asked.get("description") or "",
            secret=asked.get("secret") or "", roles=wanted, expires_at=_expiry(asked)))
        return Answer({"application_credential": views.application_credential(root(call), made, roles)}, 201)

    @app.route(f"{_CREDENTIALS}/<credential_id>", methods=["GET"])
    @operation()
    async def show_application_credential(self, call: Call, user_id: str, credential_id: str) -> Answer:
        """One."""
        found = await self.identity.application_credentials.get(call.caller, user_id, credential_id)
        shown = views.application_credential(root(call), found, await self._role_ids(call))
        return Answer({"application_credential": shown})

    @app.route(f"{_CREDENTIALS}/<credential_id>", methods=["DELETE"])
    @operation()
    async def delete_application_credential(self, call: Call, user_id: str, credential_id: str) -> Answer:
        """End one."""
        await self.identity.application_credentials.delete(call.caller, user_id, credential_id)
        return Answer(None, 204)

    async def _role_ids(self, call: Call) -> dict[str, str]:
        """Role name -> id, of the roles in the token of the request."""
        view = await self.identity.check(call.raw.getHeader("x-auth-token") or "")
        return {role.name: role.id for role in view.roles}


def _expiry(asked: dict[str, Any]) -> float | None:
    text = asked.get("expires_at")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise errors.InvalidValue("expires_at", "it must be a time like 2030-01-31T12:00:00Z.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
