"""``/v2.1/servers``: create, list, show, update, delete."""

from collections.abc import Iterable
from typing import Any

from stackd import errors
from stackd.api.openstack.compute.launching import launch_request
from stackd.api.openstack.compute.routing import Operations, app, instance_key, offered
from stackd.api.openstack.compute.schemas import servers as schemas
from stackd.api.openstack.compute.schemas.types import true
from stackd.api.openstack.compute.views import servers as views
from stackd.api.openstack.http import Answer, Call
from stackd.model import ids
from stackd.model.instances import InstanceQuery, InstanceView
from stackd.model.paging import PageRequest


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
            raise errors.BadRequest(error.message) from error
        if true(body.get("return_reservation_id")):
            return Answer({"reservation_id": views.reservation_id(made.id)}, 202)
        shown = views.created(made.instances[0], call, body.get("adminPass") or ids.new_id()[:12])
        return Answer({"server": shown}, 202, {"Location": shown["links"][0]["href"]})

    @app.route("/v2.1/servers", methods=["GET"])
    @offered()
    async def list_servers(self, call: Call) -> Answer:
        """A page of ids and names."""
        page = await self.cloud.instances.list(call.caller, InstanceQuery(), PageRequest())
        return Answer({"servers": [views.brief(views.Server(seen, views.Facts(), call)) for seen in page]})

    @app.route("/v2.1/servers/detail", methods=["GET"])
    @offered()
    async def list_server_details(self, call: Call) -> Answer:
        """A page of everything."""
        page = await self.cloud.instances.list(call.caller, InstanceQuery(), PageRequest())
        return Answer({"servers": await self.full_views(call, page)})

    @app.route("/v2.1/servers/<id>", methods=["GET"])
    @offered()
    async def show_server(self, call: Call, id: str) -> Answer:
        """One server."""
        return await self.shown(call, await self.cloud.instances.get(call.caller, instance_key(id)))

    @app.route("/v2.1/servers/<id>", methods=["DELETE"])
    @offered()
    async def delete_server(self, call: Call, id: str) -> Answer:
        """Terminate."""
        own = instance_key(id)
        await self.cloud.instances.get(call.caller, own)
        await self.cloud.instances.terminate(call.caller, [own])
        return Answer(None, 204)

    async def shown(self, call: Call, seen: InstanceView) -> Answer:
        """The answer that shows one server."""
        return Answer({"server": (await self.full_views(call, [seen]))[0]})

    async def full_views(self, call: Call, found: Iterable[InstanceView]) -> list[dict[str, Any]]:
        """Everything of each, with what is not theirs gathered once for all."""
        many = list(found)
        facts = await self._facts(call, many)
        return [views.full(views.Server(seen, facts, call)) for seen in many]

    async def _facts(self, call: Call, many: list[InstanceView]) -> views.Facts:
        return views.Facts(networks=await self.network_names(call, many))
