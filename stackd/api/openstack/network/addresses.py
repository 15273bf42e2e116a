"""``/v2.0/floatingips``."""

from typing import Any

from stackd import errors
from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.network import schemas, views
from stackd.api.openstack.network.listing import chosen, ids_of, listed
from stackd.api.openstack.network.routing import Operations, app, created, key, optional_key, project_of
from stackd.model import kinds
from stackd.model.addresses import FloatingIP


class FloatingIPs(Operations):
    """Floating addresses. They need no router: every network has its way out."""

    @app.route("/v2.0/floatingips", methods=["GET"])
    @operation()
    async def list_floatingips(self, call: Call) -> Answer:
        """The project's addresses; all for admins."""
        found = await self.cloud.addresses.list(call.caller, ids_of(call, "id"), all_projects=call.caller.is_admin)
        return listed(call, "floatingips", [views.floating_ip(floating) for floating in found])

    @app.route("/v2.0/floatingips", methods=["POST"])
    @operation(schemas.CREATE_FLOATING_IP)
    async def create_floatingip(self, call: Call) -> Answer:
        """Allocate one or many, led to a port where one is named."""
        async def create(body: dict[str, Any]) -> FloatingIP:
            return await self.cloud.addresses.allocate(
                call.caller, key(kinds.NETWORK, body["floating_network_id"]),
                body.get("floating_ip_address") or None, body.get("description", ""), project_of(body),
                optional_key(kinds.PORT, body.get("port_id")), body.get("fixed_ip_address") or None)

        async def remove(floating: FloatingIP) -> None:
            await self.cloud.addresses.release(call.caller, floating.id)

        return await created(call, "floatingip", "floatingips", create, remove, views.floating_ip)

    @app.route("/v2.0/floatingips/<id>", methods=["GET"])
    @operation()
    async def show_floatingip(self, call: Call, id: str) -> Answer:
        """Show."""
        found = await self.cloud.addresses.get(call.caller, key(kinds.FLOATING_IP, id))
        return Answer({"floatingip": chosen(call, views.floating_ip(found))})

    @app.route("/v2.0/floatingips/<id>", methods=["PUT"])
    @operation(schemas.UPDATE_FLOATING_IP)
    async def update_floatingip(self, call: Call, id: str) -> Answer:
        """Lead to a port, to nothing where ``port_id`` is null, or describe."""
        body, own = call.body["floatingip"], key(kinds.FLOATING_IP, id)
        found = await self.cloud.addresses.get(call.caller, own)
        if "port_id" in body:
            found = await self._lead(call, own, body)
        elif body.get("fixed_ip_address"):
            raise errors.MissingValue("port_id", remedy="Name the port that has the fixed address.")
        if "description" in body:
            found = await self.cloud.addresses.describe(call.caller, own, body["description"])
        return Answer({"floatingip": views.floating_ip(found)})

    async def _lead(self, call: Call, id: str, body: dict[str, Any]) -> FloatingIP:
        port_id = optional_key(kinds.PORT, body["port_id"])
        if port_id is None:
            return await self.cloud.addresses.disassociate(call.caller, id)
        return await self.cloud.addresses.associate(call.caller, id, port_id, body.get("fixed_ip_address") or None)

    @app.route("/v2.0/floatingips/<id>", methods=["DELETE"])
    @operation()
    async def delete_floatingip(self, call: Call, id: str) -> Answer:
        """Release."""
        await self.cloud.addresses.release(call.caller, key(kinds.FLOATING_IP, id))
        return Answer(None, 204)
