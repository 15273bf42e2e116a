"""``/v2.0/ports``."""

from typing import Any

from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.network import schemas, views
from stackd.api.openstack.network.listing import chosen, ids_of, listed
from stackd.api.openstack.network.routing import Operations, app, key, optional_key, project_of, several
from stackd.model import kinds
from stackd.model.network_requests import NewPort, PortChange


class Ports(Operations):
    """Ports."""

    @app.route("/v2.0/ports", methods=["GET"])
    @operation()
    async def list_ports(self, call: Call) -> Answer:
        """The project's ports; all for admins."""
        devices = ids_of(call, "device_id")
        # A device may also be a word that a user wrote, in whatever form.
        both = None if devices is None else devices + call.args("device_id")
        found = await self.cloud.ports.list(call.caller, ids_of(call, "id"), both, ids_of(call, "network_id"),
                                            all_projects=call.caller.is_admin)
        return listed(call, "ports", [views.port(port, call.caller.is_admin) for port in found])

    @app.route("/v2.0/ports", methods=["POST"])
    @operation(schemas.CREATE_PORT)
    async def create_port(self, call: Call) -> Answer:
        """Make one or many, all or none."""
        made = await self.cloud.ports.create(call.caller, *map(_asked, several(call, "port", "ports")))
        shown = [views.port(port, call.caller.is_admin) for port in made]
        return Answer({"port": shown[0]} if "port" in call.body else {"ports": shown}, 201)

    @app.route("/v2.0/ports/<id>", methods=["GET"])
    @operation()
    async def show_port(self, call: Call, id: str) -> Answer:
        """Show."""
        found = await self.cloud.ports.get(call.caller, key(kinds.PORT, id))
        return Answer({"port": chosen(call, views.port(found, call.caller.is_admin))})

    @app.route("/v2.0/ports/<id>", methods=["PUT"])
    @operation(schemas.UPDATE_PORT)
    async def update_port(self, call: Call, id: str) -> Answer:
        """Change."""
        body = call.body["port"]
        change = PortChange(
            name=body.get("name"), description=body.get("description"), admin_state_up=body.get("admin_state_up"),
            port_security=body.get("port_security_enabled"), device_id=body.get("device_id"),
            device_owner=body.get("device_owner"), group_ids=_groups(body, empty_when_null=True))
        found = await self.cloud.ports.update(call.caller, key(kinds.PORT, id), change)
        return Answer({"port": views.port(found, call.caller.is_admin)})

    @app.route("/v2.0/ports/<id>", methods=["DELETE"])
    @operation()
    async def delete_port(self, call: Call, id: str) -> Answer:
        """Delete."""
        await self.cloud.ports.delete(call.caller, key(kinds.PORT, id))
        return Answer(None, 204)


def _asked(body: dict[str, Any]) -> NewPort:
    fixed: dict[str, str] = next(iter(body.get("fixed_ips", ())), {})
    mac = body.get("mac_address")
    return NewPort(
        network_id=key(kinds.NETWORK, body["network_id"]), name=body.get("name", ""),
        description=body.get("description", ""), subnet_id=optional_key(kinds.SUBNET, fixed.get("subnet_id")),
        fixed_ip=fixed.get("ip_address"), group_ids=_groups(body, empty_when_null=False),
        mac=mac.lower() if mac else None, admin_state_up=body.get("admin_state_up", True),
        port_security=body.get("port_security_enabled", True), device_id=body.get("device_id", ""),
        device_owner=body.get("device_owner", ""), project_id=project_of(body))


def _groups(body: dict[str, Any], empty_when_null: bool) -> tuple[str, ...] | None:
    """None when nothing is said; a null leaves a new port in the default group and takes an old one out of all."""
    if "security_groups" not in body:
        return None
    if body["security_groups"] is None:
        return () if empty_when_null else None
    return tuple(key(kinds.SECURITY_GROUP, id) for id in body["security_groups"])
