"""``/v2.1/os-services`` and ``/v2.1/os-hypervisors``: what administrators see of hosts."""

from collections.abc import Sequence

from stackd import errors
from stackd.api.openstack.compute.paging import following, page
from stackd.api.openstack.compute.routing import Operations, app, offered
from stackd.api.openstack.compute.schemas import operators as schemas
from stackd.api.openstack.compute.schemas.types import true
from stackd.api.openstack.compute.views import operators as views
from stackd.api.openstack.http import Answer, Call
from stackd.model import kinds
from stackd.model.hosts import Host
from stackd.model.instances import InstanceQuery, InstanceView
from stackd.model.paging import PageRequest

BY_UUID = (2, 53)
PAGED = (2, 33)
WITHOUT_STATISTICS = (2, 88)


class Services(Operations):
    """The daemons that Nova has too."""

    @app.route("/v2.1/os-services", methods=["GET"])
    @offered()
    async def list_services(self, call: Call) -> Answer:
        """All, or those of a host or with a name."""
        found = [daemon for daemon in await self._daemons(call)
                 if call.arg("host") in (None, daemon.contact.host) and call.arg("binary") in (None, daemon.binary)]
        return Answer({"services": [views.service(daemon, call.version) for daemon in found]})

    @app.route("/v2.1/os-services/enable", methods=["PUT"])
    @offered(schemas.ENABLE, until=BY_UUID)
    async def enable_service(self, call: Call) -> Answer:
        """Let a host take placements."""
        return await self._switched(call, True)

    @app.route("/v2.1/os-services/disable", methods=["PUT"])
    @offered(schemas.ENABLE, until=BY_UUID)
    async def disable_service(self, call: Call) -> Answer:
        """Let a host take no placements."""
        return await self._switched(call, False)

    @app.route("/v2.1/os-services/disable-log-reason", methods=["PUT"])
    @offered(schemas.DISABLE, until=BY_UUID)
    async def disable_service_for_reason(self, call: Call) -> Answer:
        """The same with a reason."""
        return await self._switched(call, False)

    @app.route("/v2.1/os-services/<id>", methods=["PUT"])
    @offered(schemas.UPDATE, since=BY_UUID)
    async def update_service(self, call: Call, id: str) -> Answer:
        """Let a host take placements or none."""
        enabled, reason = call.body.get("status", "disabled") == "enabled", call.body.get("disabled_reason", "")
        if enabled and reason:
            raise errors.ConflictingValues("A reason is for disabling only.")
        daemon = next((each for each in await self._daemons(call) if each.id == id), None)
        if daemon is None:
            raise errors.NotFound("service", id)
        await self._switch(call, daemon, enabled, reason)
        changed = next(each for each in await self._daemons(call) if each.id == id)
        return Answer({"service": views.service(changed, call.version)})

    async def _daemons(self, call: Call) -> list[views.Daemon]:
        workers = await self.cloud.hosts.workers(call.caller)
        return views.daemons(workers, await self.cloud.hosts.list(call.caller))

    async def _switched(self, call: Call, enabled: bool) -> Answer:
        host, binary = call.body["host"], call.body["binary"]
        daemon = next((each for each in await self._daemons(call)
                       if (each.contact.host, each.binary) == (host, binary)), None)
        if daemon is None:
            raise errors.NotFound(kinds.HOST, host)
        reason = call.body.get("disabled_reason", "")
        await self._switch(call, daemon, enabled, reason)
        shown = {"host": host, "binary": binary, "status": "enabled" if enabled else "disabled"}
        return Answer({"service": {**shown, "disabled_reason": reason} if reason else shown})

    async def _switch(self, call: Call, daemon: views.Daemon, enabled: bool, reason: str) -> None:
        if daemon.host is None:
            raise errors.BadRequest(f"Updating a {daemon.binary} service is not supported.",
                                    remedy="Only nova-compute services can be enabled and disabled.")
        await self.cloud.hosts.enable(call.caller, daemon.host.name, enabled, reason)


class Hypervisors(Operations):
    """Hosts as hypervisors."""

    @app.route("/v2.1/os-hypervisors", methods=["GET"])
    @offered()
    async def list_hypervisors(self, call: Call) -> Answer:
        """Names."""
        return await self._hypervisors(call, detailed=False)

    @app.route("/v2.1/os-hypervisors/detail", methods=["GET"])
    @offered()
    async def list_hypervisor_details(self, call: Call) -> Answer:
        """Everything."""
        return await self._hypervisors(call, detailed=True)

    @app.route("/v2.1/os-hypervisors/statistics", methods=["GET"])
    @offered(until=WITHOUT_STATISTICS)
    async def show_statistics(self, call: Call) -> Answer:
        """The sums over all."""
        return Answer({"hypervisor_statistics": views.statistics(await self.cloud.hosts.list(call.caller))})

    @app.route("/v2.1/os-hypervisors/<id>", methods=["GET"])
    @offered()
    async def show_hypervisor(self, call: Call, id: str) -> Answer:
        """One."""
        host = await self._host(call, id)
        shown = views.full_hypervisor(host, call.version)
        if _with_servers(call):
            shown["servers"] = [views.guest(seen) for seen in await self._guests(call, host)]
        return Answer({"hypervisor": shown})

    @app.route("/v2.1/os-hypervisors/<id>/uptime", methods=["GET"])
    @offered(until=WITHOUT_STATISTICS)
    async def show_uptime(self, call: Call, id: str) -> Answer:
        """Since when it is up."""
        return Answer({"hypervisor": views.uptime(await self._host(call, id), call.version)})

    @app.route("/v2.1/os-hypervisors/<pattern>/search", methods=["GET"])
    @offered(until=BY_UUID)
    async def search_hypervisors(self, call: Call, pattern: str) -> Answer:
        """Those with these letters in their name."""
        found = _named(pattern, await self.cloud.hosts.list(call.caller))
        return Answer({"hypervisors": [views.brief_hypervisor(host, call.version) for host in found]})

    @app.route("/v2.1/os-hypervisors/<pattern>/servers", methods=["GET"])
    @offered(until=BY_UUID)
    async def list_servers_of_hypervisors(self, call: Call, pattern: str) -> Answer:
        """The same with their servers."""
        found = _named(pattern, await self.cloud.hosts.list(call.caller))
        return Answer({"hypervisors": [await self._with_guests(call, host, detailed=False) for host in found]})

    async def _hypervisors(self, call: Call, detailed: bool) -> Answer:
        found: Sequence[Host] = await self.cloud.hosts.list(call.caller)
        pattern, more, links = call.arg("hypervisor_hostname_pattern"), False, {}
        if pattern and call.version >= BY_UUID:
            found = _named(pattern, found)
        if call.version >= PAGED:
            ids = {host.name: str(views.brief_hypervisor(host, call.version)["id"]) for host in found}
            found, more = page(call, found, lambda host: ids[host.name])
            links = following(call, "hypervisors", found, more, ids[found[-1].name] if found else "")
        shown = views.full_hypervisor if detailed else views.brief_hypervisor
        hypervisors = [await self._with_guests(call, host, detailed) if _with_servers(call)
                       else shown(host, call.version) for host in found]
        return Answer({"hypervisors": hypervisors, **links})

    async def _with_guests(self, call: Call, host: Host, detailed: bool) -> dict[str, object]:
        shown = (views.full_hypervisor if detailed else views.brief_hypervisor)(host, call.version)
        guests = await self._guests(call, host)
        return {**shown, "servers": [views.guest(seen) for seen in guests]} if guests else shown

    async def _guests(self, call: Call, host: Host) -> tuple[InstanceView, ...]:
        query = InstanceQuery(host=host.name, all_projects=True)
        return (await self.cloud.instances.list(call.caller, query, PageRequest())).items

    async def _host(self, call: Call, id: str) -> Host:
        for host in await self.cloud.hosts.list(call.caller):
            if str(views.brief_hypervisor(host, call.version)["id"]) == id:
                return host
        raise errors.NotFound("hypervisor", id)


def _with_servers(call: Call) -> bool:
    return call.version >= BY_UUID and true(call.arg("with_servers"))


def _named(pattern: str, hosts: Sequence[Host]) -> list[Host]:
    found = [host for host in hosts if pattern in views.hypervisor_name(host)]
    if not found:
        raise errors.NotFound("hypervisor", pattern)
    return found
