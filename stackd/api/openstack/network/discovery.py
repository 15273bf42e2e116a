"""Versions, extensions, zones and agents of the network API."""

from typing import Any

from stackd import errors
from stackd.api.openstack.http import Answer, Call, operation
from stackd.api.openstack.network import views
from stackd.api.openstack.network.listing import listed
from stackd.api.openstack.network.routing import Operations, app
from stackd.model import kinds

# Alias -> name and description. Only what is really there: clients decide by this list what they may ask for, some
# by the alias and some by the name, so both are those that Neutron gives.
_EXTENSIONS = {
    "agent": ("agent", "Network workers of all hosts, for admins."),
    "availability_zone": ("Availability Zone", "Zones of the cloud."),
    "binding": ("Port Binding", "Where a port is, for admins."),
    "external-net": ("Neutron external network", "Networks that carry floating addresses."),
    "provider": ("Provider Network", "What networks stand on, for admins."),
    "net-mtu": ("Network MTU", "MTU of networks."),
    "net-mtu-writable": ("Network MTU (writable)", "MTU of networks can be chosen."),
    "network_availability_zone": ("Network Availability Zone", "Networks tell their zones."),
    "network-ip-availability": ("Network IP Availability", "How many addresses of a network are in use."),
    "pagination": ("Pagination support", "Lists in pages."),
    "port-security": ("Port Security", "Ports without anti-spoofing and groups."),
    "project-id": ("project_id field enabled", "Resources carry project_id beside tenant_id."),
    "quota_details": ("Quota details management support", "Quotas with what is used."),
    "quotas": ("Quota management support", "Limits of projects."),
    "security-group": ("security-group", "Security groups."),
    "security-groups-normalized-cidr": ("Normalized CIDR field for security group rules",
                                        "Rules show their prefix in canonical form."),
    "sorting": ("Sorting support", "Lists in an order."),
    "standard-attr-description": ("standard-attr-description", "Resources carry a description."),
    "standard-attr-revisions": ("Resource revision numbers", "Resources carry a revision number."),
    "standard-attr-timestamp": ("Resource timestamps", "Resources carry the times of their making and last change."),
    "stateful-security-group": ("Stateful security group", "Security groups tell that they are stateful."),
}
_COLLECTIONS = ("networks", "subnets", "ports", "floatingips", "security-groups", "security-group-rules", "quotas",
                "availability_zones", "agents", "network-ip-availabilities", "extensions")


class Discovery(Operations):
    """What this API is and offers."""

    @app.route("/", methods=["GET"])
    @operation(public=True)
    async def list_versions(self, call: Call) -> Answer:
        """The one version."""
        return Answer({"versions": [_version(_root(call))]})

    @app.route("/v2.0", methods=["GET"])
    @operation(public=True)
    async def show_version(self, call: Call) -> Answer:
        """The collections of the version."""
        root = _root(call)
        resources = [{"name": name.replace("-", "_")[:-1], "collection": name.replace("-", "_"),
                      "links": [{"rel": "self", "href": f"{root}/{name}"}]} for name in _COLLECTIONS]
        return Answer({"resources": resources, "version": _version(root)})

    @app.route("/v2.0/extensions", methods=["GET"])
    @operation(public=True)
    async def list_extensions(self, call: Call) -> Answer:
        """What goes beyond the core of Neutron's API."""
        return listed(call, "extensions", [_extension(alias) for alias in sorted(_EXTENSIONS)])

    @app.route("/v2.0/extensions/<alias>", methods=["GET"])
    @operation(public=True)
    async def show_extension(self, call: Call, alias: str) -> Answer:
        """One of them."""
        if alias not in _EXTENSIONS:
            raise errors.NotFound("extension", alias)
        return Answer({"extension": _extension(alias)})

    @app.route("/v2.0/availability_zones", methods=["GET"])
    @operation()
    async def list_zones(self, call: Call) -> Answer:
        """The zones of the cloud, which are those of networks too."""
        return listed(call, "availability_zones", [
            {"name": zone.name, "resource": "network", "state": "available" if zone.available else "unavailable"}
            for zone in await self.cloud.zones.list(call.caller)])

    @app.route("/v2.0/agents", methods=["GET"])
    @operation()
    async def list_agents(self, call: Call) -> Answer:
        """The network workers, for admins."""
        return listed(call, "agents", await self._agents(call))

    @app.route("/v2.0/agents/<id>", methods=["GET"])
    @operation()
    async def show_agent(self, call: Call, id: str) -> Answer:
        """One of them."""
        for agent in await self._agents(call):
            if agent["id"] == id:
                return Answer({"agent": agent})
        raise errors.NotFound(kinds.HOST, id)

    async def _agents(self, call: Call) -> list[dict[str, Any]]:
        workers = await self.cloud.hosts.workers(call.caller)
        return [views.agent(contact) for contact in workers if contact.worker == "network"]


def _root(call: Call) -> str:
    mount = call.path.partition("/v2.0")[0].rstrip("/")
    return f"{call.base}{mount}/v2.0"


def _version(root: str) -> dict[str, Any]:
    return {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{root}/"}]}


def _extension(alias: str) -> dict[str, Any]:
    name, description = _EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": description, "links": [],
            "updated": "2026-01-01T00:00:00-00:00"}
