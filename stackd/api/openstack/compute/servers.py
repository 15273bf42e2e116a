"""``/v2.1/servers``: create, list, show, update, delete."""

import re
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from stackd import errors
from stackd.api.openstack.compute import faults
from stackd.api.openstack.compute.launching import launch_request
from stackd.api.openstack.compute.microversions import Version
from stackd.api.openstack.compute.paging import following
from stackd.api.openstack.compute.queries import address_patterns, instance_query, page_request
from stackd.api.openstack.compute.routing import Operations, app, instance_key, offered
from stackd.api.openstack.compute.schemas import servers as schemas
from stackd.api.openstack.compute.schemas.types import true
from stackd.api.openstack.compute.views import servers as views
from stackd.api.openstack.http import Answer, Call
from stackd.model import ids
from stackd.model.instances import InstanceView
from stackd.model.paging import Page

ADMIN_FACTS: Version = (2, 3)


class Servers(Operations):
    """Servers."""

    @app.route("/v2.1/servers", methods=["POST"])
    @offered(schemas.CREATE)
    async def create_server(self, call: Call) -> Answer:
        """Launch one or many; the answer shows the first, or the reservation."""
        body = call.body["server"]
        try:
            made = await self.cloud.instances.launch(call.caller, launch_request(call.caller, body))
        except errors.NotFound as error:
            # What is not there is a fault of the body, not of the path.
            raise errors.BadRequest(faults.written(error)) from error
        if true(body.get("return_reservation_id")):
            return Answer({"reservation_id": views.reservation_id(made.id)}, 202)
        shown = views.created(made.instances[0], call, body.get("adminPass") or ids.new_id()[:12])
        return Answer({"server": shown}, 202, {"Location": shown["links"][0]["href"]})

    @app.route("/v2.1/servers", methods=["GET"])
    @offered()
    async def list_servers(self, call: Call) -> Answer:
        """A page of ids and names."""
        page = await self._page(call)
        shown = [views.brief(views.Server(seen, views.Facts(), call)) for seen in page]
        return Answer({"servers": shown, **_following(call, page)})

    @app.route("/v2.1/servers/detail", methods=["GET"])
    @offered()
    async def list_server_details(self, call: Call) -> Answer:
        """A page of everything."""
        page = await self._page(call)
        shown = [views.full(server) for server in await self._servers(call, page.items)]
        return Answer({"servers": shown, **_following(call, page)})

    @app.route("/v2.1/servers/<id>", methods=["GET"])
    @offered()
    async def show_server(self, call: Call, id: str) -> Answer:
        """One server."""
        seen = await self.cloud.instances.get(call.caller, instance_key(id))
        return Answer({"server": views.alone((await self._servers(call, [seen]))[0])})

    @app.route("/v2.1/servers/<id>", methods=["PUT"])
    @offered(schemas.UPDATE)
    async def update_server(self, call: Call, id: str) -> Answer:
        """Rename, describe, or say which addresses to show."""
        body = call.body["server"]
        description = body["description"] or "" if "description" in body else None
        seen = await self.cloud.instances.rename(call.caller, instance_key(id), body.get("name"), description,
                                                 body.get("accessIPv4"), body.get("accessIPv6"))
        return Answer({"server": views.updated((await self._servers(call, [seen]))[0])})

    @app.route("/v2.1/servers/<id>", methods=["DELETE"])
    @offered()
    async def delete_server(self, call: Call, id: str) -> Answer:
        """Terminate."""
        own = instance_key(id)
        await self.cloud.instances.get(call.caller, own)
        await self.cloud.instances.terminate(call.caller, [own])
        return Answer(None, 204)

    async def _page(self, call: Call) -> Page[InstanceView]:
        query, wanted = instance_query(call), page_request(call)
        if patterns := address_patterns(call):
            query = evolve(query, ids=await self._addressed(call, patterns))
        return await self.cloud.instances.list(call.caller, query, wanted)

    async def _addressed(self, call: Call, patterns: dict[int, re.Pattern[str]]) -> tuple[str, ...]:
        """The servers with an address that each pattern matches."""
        ports = await self.cloud.ports.list(call.caller, all_projects=true(call.arg("all_tenants")))
        held: dict[str, set[int]] = {}
        for port in ports:
            for address in (one for fixed in port.fixed_ips for one in (fixed.address, fixed.floating_ip) if one):
                family = 6 if ":" in address else 4
                if family in patterns and patterns[family].match(address):
                    held.setdefault(port.device_id, set()).add(family)
        return tuple(id for id, families in held.items() if families == set(patterns))

    async def _servers(self, call: Call, many: Sequence[InstanceView]) -> list[views.Server]:
        """Each with what is shown beside it, gathered once for all."""
        facts = await self._facts(call, many)
        return [views.Server(seen, facts, call) for seen in many]

    async def _facts(self, call: Call, many: Sequence[InstanceView]) -> views.Facts:
        networks = await self.network_names(call, many)
        if not call.caller.is_admin or call.version < ADMIN_FACTS:
            return views.Facts(networks=networks)
        hosts = await self.cloud.hosts.list(call.caller)
        user_datas = {seen.instance.id: await self.cloud.instances.user_data(call.caller, seen.instance.id)
                      for seen in many if seen.instance.has_user_data and seen.instance.ended_at is None}
        return views.Facts(networks=networks, hosts={host.name: views.host_status(host) for host in hosts},
                           user_datas=user_datas)


def _following(call: Call, page: Page[InstanceView]) -> dict[str, Any]:
    marker = ids.dashed(page.items[-1].instance.id) if page.items else ""
    return following(call, "servers", page.items, page.more, marker)
