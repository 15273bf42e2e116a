"""The operator's commands about hosts: who they are to the image service, and whether they get instances.

``stackd host`` asks them of the running cloud. A host's user at the broker is no matter of the cloud's; that one the
command makes itself.
"""

from typing import Any

from stackd import errors
from stackd.core.cloud import Cloud
from stackd.core.identity import Identity
from stackd.interfaces.clock import Clock
from stackd.model import kinds
from stackd.model.callers import ADMIN, IMAGE_READER, Caller
from stackd.model.hosts import REMOVAL_REFUSED, REMOVED, WORKERS, Host
from stackd.model.identities import Project, User
from stackd.model.paging import PageRequest
from stackd.rules.admitting import user_of_host

Body = dict[str, Any]
PROJECT = "service"
"""The project that services act in; nothing else is in it."""
OPERATOR = Caller(user_id="operator", user_name="operator", project_id="", project_name="",
                  roles=frozenset({ADMIN}), request_id="operator")


class HostUsers:
    """Hosts as users of the image service, who may read images and nothing else."""

    def __init__(self, core: Cloud, identity: Identity, clock: Clock) -> None:
        """``core`` knows the hosts."""
        self._core = core
        self._identity = identity
        self._clock = clock

    async def add(self, body: Body) -> Any:
        """Make the host's user anew with this password; a host that was removed gets instances again.

        What was made with the old password, tokens and keys, ends with the old user.
        """
        name = user_of_host(body["name"])
        await self._forget(name)
        project = await self._project()
        user = await self._identity.users.create(OPERATOR, User(
            id="", name=name, description="Reads images for a host.", default_project_id=project.id), body["password"])
        roles = {role.name: role.id for role in await self._identity.roles.list(OPERATOR, PageRequest())}
        if IMAGE_READER not in roles:
            roles[IMAGE_READER] = (await self._identity.roles.create(OPERATOR, IMAGE_READER)).id
        await self._identity.roles.grant(OPERATOR, user.id, project.id, roles[IMAGE_READER])
        for host in await self._core.hosts.list(OPERATOR):
            if host.name == body["name"] and host.disabled_reason in (REMOVED, REMOVAL_REFUSED):
                await self._core.hosts.enable(OPERATOR, host.name, True)
        return {"user": name, "project": project.name}

    async def password(self, body: Body) -> Any:
        """The same for a host that is there; raises ``NotFound``."""
        await self._known(body)
        return await self.add(body)

    async def remove(self, body: Body) -> Any:
        """End the host's user, and place nothing on it any more; raises ``InUse`` for one with instances.

        Raises ``NotFound`` for a name that is nobody's, not even at the broker, as who asks here says.
        With ``force`` it is declared dead: what it was to remove is taken for gone as soon as it is silent.
        """
        host = await self._known(body)
        if host is not None:
            refused = host.instances and not body.get("force")
            if host.enabled or not refused:
                await self._core.hosts.enable(OPERATOR, host.name, False, REMOVAL_REFUSED if refused else REMOVED)
            if refused:
                of = "an instance" if host.instances == 1 else f"{host.instances} instances"
                raise errors.InUse("host", host.name, of, remedy=(
                    "It gets no more of them. End those it has first, or say --force once it is off for good."))
        await self._forget(user_of_host(body["name"]))
        return f"The host {body['name']} is removed."

    async def list(self, body: Body) -> Any:
        """All hosts the cloud has heard of, and how long ago that was."""
        now = self._clock.seconds()
        ago = {(one.host, one.worker): f"{max(0.0, now - one.last_seen):.0f} s ago"
               for one in await self._core.hosts.workers(OPERATOR)}
        return [{"host": host.name, "zone": host.zone, "alive": host.alive, "enabled": host.enabled,
                 "instances": host.instances,
                 **{worker: ago.get((host.name, worker), "never") for worker in WORKERS},
                 "reason": host.disabled_reason}
                for host in await self._core.hosts.list(OPERATOR)]

    async def _known(self, body: Body) -> Host | None:
        """What the cloud has heard of the host; None for one that has not begun yet."""
        name, user = body["name"], user_of_host(body["name"])
        for host in await self._core.hosts.list(OPERATOR):
            if host.name == name:
                return host
        if not body.get("at_broker") and not await self._identity.users.list(OPERATOR, PageRequest(), name=user):
            raise errors.NotFound(kinds.HOST, name, remedy="'stackd host list' shows the names of hosts.")
        return None

    async def _forget(self, name: str) -> None:
        for user in await self._identity.users.list(OPERATOR, PageRequest(), name=name):
            await self._identity.users.delete(OPERATOR, user.id)

    async def _project(self) -> Project:
        for project in await self._identity.projects.list(OPERATOR, PageRequest(), name=PROJECT):
            return project
        return await self._identity.projects.create(OPERATOR, PROJECT, "What the cloud's own services act in.")
