"""``/v2.0/subnets``."""

from typing import Any

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.network import schemas, views
from stackd.api.openstack.network.listing import chosen, ids_of, listed
from stackd.api.openstack.network.routing import Operations, app, created, key, project_of
from stackd.model import kinds
from stackd.model.network_requests import NewSubnet, SubnetChange
from stackd.model.networks import AddressPool, Subnet


class Subnets(Operations):
    """Subnets."""

    @app.route("/v2.0/subnets", methods=["GET"])
    @operation()
    async def list_subnets(self, call: Call) -> Answer:
        """The subnets of the networks the caller sees."""
        found = await self.cloud.subnets.list(call.caller, ids_of(call, "id"), all_projects=call.caller.is_admin)
        return listed(call, "subnets", [views.subnet(subnet) for subnet in found])

    @app.route("/v2.0/subnets", methods=["POST"])
    @operation(schemas.CREATE_SUBNET)
    async def create_subnet(self, call: Call) -> Answer:
        """Make one or many."""
        async def create(body: dict[str, Any]) -> Subnet:
            return await self.cloud.subnets.create(call.caller, _asked(body))

        async def remove(subnet: Subnet) -> None:
            await self.cloud.subnets.delete(call.caller, subnet.id)

        return await created(call, "subnet", "subnets", create, remove, views.subnet)

    @app.route("/v2.0/subnets/<id>", methods=["GET"])
    @operation()
    async def show_subnet(self, call: Call, id: str) -> Answer:
        """Show."""
        found = await self.cloud.subnets.get(call.caller, key(kinds.SUBNET, id))
        return Answer({"subnet": chosen(call, views.subnet(found))})

    @app.route("/v2.0/subnets/<id>", methods=["PUT"])
    @operation(schemas.UPDATE_SUBNET)
    async def update_subnet(self, call: Call, id: str) -> Answer:
        """Change."""
        body = call.body["subnet"]
        change = SubnetChange(
            name=body.get("name"), description=body.get("description"), dhcp=body.get("enable_dhcp"),
            gateway_ip=_gateway(body), pools=_pools(body),
            dns=tuple(body["dns_nameservers"]) if "dns_nameservers" in body else None)
        found = await self.cloud.subnets.update(call.caller, key(kinds.SUBNET, id), change)
        return Answer({"subnet": views.subnet(found)})

    @app.route("/v2.0/subnets/<id>", methods=["DELETE"])
    @operation()
    async def delete_subnet(self, call: Call, id: str) -> Answer:
        """Delete."""
        await self.cloud.subnets.delete(call.caller, key(kinds.SUBNET, id))
        return Answer(None, 204)


def _asked(body: dict[str, Any]) -> NewSubnet:
    version = 6 if ":" in body["cidr"] else 4
    return NewSubnet(
        network_id=key(kinds.NETWORK, body["network_id"]), cidr=body["cidr"],
        ip_version=int(body.get("ip_version", version)), name=body.get("name", ""),
        description=body.get("description", ""), gateway_ip=_gateway(body), dhcp=body.get("enable_dhcp", True),
        pools=_pools(body), dns=tuple(body.get("dns_nameservers", ())), project_id=project_of(body))


def _gateway(body: dict[str, Any]) -> str | None:
    """None when nothing is said, empty for no gateway, which clients write as null."""
    return body["gateway_ip"] or "" if "gateway_ip" in body else None


def _pools(body: dict[str, Any]) -> tuple[AddressPool, ...] | None:
    pools = body.get("allocation_pools")
    return tuple(AddressPool(start=pool["start"], end=pool["end"]) for pool in pools) if pools is not None else None
