"""What the network side shows of a server: addresses, interfaces, security groups."""

from typing import Any

from stackd import errors
from stackd.api.openstack.compute.routing import Operations, app, instance_key, key, offered
from stackd.api.openstack.compute.views import interfaces as views
from stackd.api.openstack.http import Answer, Call
from stackd.model import kinds


class Interfaces(Operations):
    """Read only: ports are given at launch."""

    @app.route("/v2.1/servers/<id>/ips", methods=["GET"])
    @offered()
    async def list_addresses(self, call: Call, id: str) -> Answer:
        """Addresses of all networks."""
        return Answer({"addresses": await self._addresses(call, id)})

    @app.route("/v2.1/servers/<id>/ips/<network>", methods=["GET"])
    @offered()
    async def show_addresses(self, call: Call, id: str, network: str) -> Answer:
        """Addresses of one network, by its name."""
        found = await self._addresses(call, id)
        if network not in found:
            raise errors.NotFound(kinds.NETWORK, network, remedy="The server has no address on it.")
        return Answer({network: found[network]})

    @app.route("/v2.1/servers/<id>/os-interface", methods=["GET"])
    @offered()
    async def list_interfaces(self, call: Call, id: str) -> Answer:
        """The ports."""
        seen = await self.cloud.instances.get(call.caller, instance_key(id))
        return Answer({"interfaceAttachments": [views.interface(port, call.version) for port in seen.ports]})

    @app.route("/v2.1/servers/<id>/os-interface/<port_id>", methods=["GET"])
    @offered()
    async def show_interface(self, call: Call, id: str, port_id: str) -> Answer:
        """One port."""
        wanted = key(kinds.PORT, port_id)
        for port in (await self.cloud.instances.get(call.caller, instance_key(id))).ports:
            if port.id == wanted:
                return Answer({"interfaceAttachment": views.interface(port, call.version)})
        raise errors.NotFound(kinds.PORT, port_id)

    @app.route("/v2.1/servers/<id>/os-security-groups", methods=["GET"])
    @offered()
    async def list_groups_of_server(self, call: Call, id: str) -> Answer:
        """The groups of all its ports."""
        seen = await self.cloud.instances.get(call.caller, instance_key(id))
        wanted = tuple(dict.fromkeys(group.id for port in seen.ports for group in port.groups))
        found = await self.cloud.groups.list(call.caller, wanted, all_projects=True) if wanted else ()
        return Answer({"security_groups": [views.group(group) for group in found]})

    async def _addresses(self, call: Call, id: str) -> dict[str, list[dict[str, Any]]]:
        seen = await self.cloud.instances.get(call.caller, instance_key(id))
        return views.addresses(seen, await self.network_names(call, [seen]), hardware=False)
