"""The operator's commands: what ``stackd explain``, ``reset``, ``user``, ``project``, ``quota``, ``host`` ask.

Each is a coroutine function of a JSON object; ``daemons/operator.py`` serves them on a socket only the operator
may open, so they act as an administrator.
"""

from typing import Any

from attrs import asdict

from stackd import errors
from stackd.core.explain import Explain
from stackd.daemons.hostusers import OPERATOR, HostUsers
from stackd.daemons.operator import Command
from stackd.daemons.parts import Parts
from stackd.daemons.resetting import Resetting
from stackd.model import kinds
from stackd.model.identities import Project, Role, User
from stackd.model.paging import PageRequest

Body = dict[str, Any]


def operator_commands(parts: Parts, resetting: Resetting | None) -> dict[str, Command]:
    """All commands by name; ``resetting`` is None where guests are real."""
    people = People(parts)
    limits = Limits(parts, people)
    hosts = HostUsers(parts.core, parts.identity, parts.reactor)
    explain = Explain(parts.database, parts.config.hosts.gone)

    async def explained(body: Body) -> Any:
        return await explain.explain(OPERATOR, str(body["id"]))

    async def reset(body: Body) -> Any:
        if resetting is None:
            raise errors.NotSupported("Only a cloud of fake drivers can be reset.",
                                      remedy="Run 'make down' and 'make cloud' for a new real one.")
        await resetting.reset()
        return "The cloud is as new."

    return {
        "explain": explained, "reset": reset,
        "user-list": people.list_users, "user-create": people.create_user, "user-delete": people.delete_user,
        "user-password": people.set_password, "user-grant": people.grant, "user-revoke": people.revoke,
        "project-list": people.list_projects, "project-create": people.create_project,
        "project-delete": people.delete_project, "quota-show": limits.show, "quota-set": limits.change,
        "host-list": hosts.list, "host-add": hosts.add, "host-password": hosts.password,
        "host-remove": hosts.remove,
    }


class People:
    """Users, projects and the roles between them."""

    def __init__(self, parts: Parts) -> None:
        """``parts`` has the identity."""
        self._identity = parts.identity

    async def list_users(self, body: Body) -> Any:
        """All users."""
        page = await self._identity.users.list(OPERATOR, PageRequest())
        return [{"id": user.id, "name": user.name, "enabled": user.enabled, "email": user.email} for user in page]

    async def create_user(self, body: Body) -> Any:
        """A new user, with a role in a project where one is named."""
        project = await self.project(body["project"]) if body.get("project") else None
        user = await self._identity.users.create(OPERATOR, User(
            id="", name=body["name"], email=body.get("email") or "",
            default_project_id=project.id if project else ""), body["password"])
        if project:
            await self._identity.roles.grant(OPERATOR, user.id, project.id, (await self.role(body["role"])).id)
        return {"id": user.id, "name": user.name}

    async def delete_user(self, body: Body) -> Any:
        """Remove a user."""
        user = await self.user(body["user"])
        await self._identity.users.delete(OPERATOR, user.id)
        return f"The user {user.name} is gone."

    async def set_password(self, body: Body) -> Any:
        """Set a user's password; tokens issued before end."""
        user = await self.user(body["user"])
        await self._identity.users.update(OPERATOR, user.id, {"password": body["password"]})
        return f"The password of {user.name} is changed."

    async def grant(self, body: Body) -> Any:
        """Give a role in a project."""
        await self._identity.roles.grant(OPERATOR, *await self._holding(body))
        return "granted"

    async def revoke(self, body: Body) -> Any:
        """Take a role in a project away."""
        await self._identity.roles.revoke(OPERATOR, *await self._holding(body))
        return "revoked"

    async def list_projects(self, body: Body) -> Any:
        """All projects."""
        page = await self._identity.projects.list(OPERATOR, PageRequest())
        return [{"id": project.id, "name": project.name, "account": project.account, "enabled": project.enabled}
                for project in page]

    async def create_project(self, body: Body) -> Any:
        """A new project with its default network and group."""
        project = await self._identity.projects.create(OPERATOR, body["name"], body.get("description") or "")
        return {"id": project.id, "name": project.name, "account": project.account}

    async def delete_project(self, body: Body) -> Any:
        """Remove an empty project."""
        project = await self.project(body["project"])
        await self._identity.projects.delete(OPERATOR, project.id)
        return f"The project {project.name} is gone."

    async def _holding(self, body: Body) -> tuple[str, str, str]:
        user, project = await self.user(body["user"]), await self.project(body["project"])
        return user.id, project.id, (await self.role(body["role"])).id

    async def user(self, name: str) -> User:
        """A user by name or id."""
        for user in await self._identity.users.list(OPERATOR, PageRequest(), name=name):
            return user
        return await self._identity.users.get(OPERATOR, name)

    async def project(self, name: str) -> Project:
        """A project by name or id."""
        for project in await self._identity.projects.list(OPERATOR, PageRequest(), name=name):
            return project
        return await self._identity.projects.get(OPERATOR, name)

    async def role(self, name: str) -> Role:
        """A role by name."""
        for role in await self._identity.roles.list(OPERATOR, PageRequest(), name=name):
            return role
        raise errors.NotFound(kinds.ROLE, name)


class Limits:
    """Quotas of projects."""

    def __init__(self, parts: Parts, people: People) -> None:
        """``people`` finds projects."""
        self._quotas = parts.core.quotas
        self._people = people

    async def show(self, body: Body) -> Any:
        """Limits and what is in use."""
        project = await self._people.project(body["project"])
        limits, used = await self._quotas.show(OPERATOR, project.id)
        in_use = asdict(used)
        return [{"limit": name, "value": value, "in_use": in_use[name]} for name, value in asdict(limits).items()]

    async def change(self, body: Body) -> Any:
        """Set some limits."""
        project = await self._people.project(body["project"])
        await self._quotas.change(OPERATOR, project.id, body["limits"])
        return await self.show(body)
