"""``/v2.0/networks`` and how full they are."""

from typing import Any

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.network import schemas, views
from stackd.api.openstack.network.listing import chosen, ids_of, listed
from stackd.api.openstack.network.routing import Operations, app, created, key, project_of
from stackd.model import kinds
from stackd.model.network_requests import NetworkChange, NewNetwork
from stackd.model.networks import Network, NetworkType

TYPE = "provider:network_type"


class Networks(Operations):
    """Networks."""

    @app.route("/v2.0/networks", methods=["GET"])
    @operation()
    async def list_networks(self, call: Call) -> Answer:
        """Own, shared and external networks; all for admins."""
        found = await self.cloud.networks.list(call.caller, ids_of(call, "id"), all_projects=call.caller.is_admin)
        return listed(call, "networks", [views.network(one, call.caller.is_admin) for one in found])

    @app.route("/v2.0/networks", methods=["POST"])
    @operation(schemas.CREATE_NETWORK)
    async def create_network(self, call: Call) -> Answer:
        """Make one or many."""
        async def create(body: dict[str, Any]) -> Network:
            return await self.cloud.networks.create(call.caller, NewNetwork(
                name=body.get("name", ""), description=body.get("description", ""),
                shared=body.get("shared", False), external=body.get("router:external", False),
                admin_state_up=body.get("admin_state_up", True), mtu=body.get("mtu"), project_id=project_of(body),
                type=NetworkType(body[TYPE]) if TYPE in body else None,
                physical_network=body.get("provider:physical_network"), segment=body.get("provider:segmentation_id")))

        async def remove(network: Network) -> None:
            await self.cloud.networks.delete(call.caller, network.id)

        return await created(call, "network", "networks", create, remove,
                             lambda network: views.network(network, call.caller.is_admin))

    @app.route("/v2.0/networks/<id>", methods=["GET"])
    @operation()
    async def show_network(self, call: Call, id: str) -> Answer:
        """Show."""
        found = await self.cloud.networks.get(call.caller, key(kinds.NETWORK, id))
        return Answer({"network": chosen(call, views.network(found, call.caller.is_admin))})

    @app.route("/v2.0/networks/<id>", methods=["PUT"])
    @operation(schemas.UPDATE_NETWORK)
    async def update_network(self, call: Call, id: str) -> Answer:
        """Change."""
        body = call.body["network"]
        change = NetworkChange(
            name=body.get("name"), description=body.get("description"), shared=body.get("shared"),
            external=body.get("router:external"), admin_state_up=body.get("admin_state_up"), mtu=body.get("mtu"))
        found = await self.cloud.networks.update(call.caller, key(kinds.NETWORK, id), change)
        return Answer({"network": views.network(found, call.caller.is_admin)})

    @app.route("/v2.0/networks/<id>", methods=["DELETE"])
    @operation()
    async def delete_network(self, call: Call, id: str) -> Answer:
        """Delete, with the subnets."""
        await self.cloud.networks.delete(call.caller, key(kinds.NETWORK, id))
        return Answer(None, 204)

    @app.route("/v2.0/network-ip-availabilities", methods=["GET"])
    @operation()
    async def list_availabilities(self, call: Call) -> Answer:
        """How full each network is."""
        found = await self.cloud.networks.list(call.caller, all_projects=call.caller.is_admin)
        shown = await self._availabilities(call, found)
        return listed(call, "network_ip_availabilities", shown)

    @app.route("/v2.0/network-ip-availabilities/<id>", methods=["GET"])
    @operation()
    async def show_availability(self, call: Call, id: str) -> Answer:
        """How full one network is."""
        found = await self.cloud.networks.get(call.caller, key(kinds.NETWORK, id))
        (shown,) = await self._availabilities(call, (found,))
        return Answer({"network_ip_availability": shown})

    async def _availabilities(self, call: Call, networks: tuple[Network, ...]) -> list[views.View]:
        subnets = await self.cloud.subnets.list(call.caller, all_projects=call.caller.is_admin)
        used = await self.cloud.subnets.in_use(call.caller, tuple(subnet.id for subnet in subnets))
        return [views.availability(network, [one for one in subnets if one.network_id == network.id], used)
                for network in networks]
