"""``/v2.1/extensions`` and lists of what this cloud never has any of."""

from typing import Any

from stackd import errors
from stackd.api.openstack.compute.routing import Operations, app, offered
from stackd.api.openstack.http import Answer, Call

# Alias -> name and description. Only what is really there: some clients decide by this list what they may ask for.
_EXTENSIONS = {
    "os-availability-zone": ("AvailabilityZone", "Zones of the cloud."),
    "os-attach-interfaces": ("AttachInterfaces", "Ports of servers, read only."),
    "os-config-drive": ("ConfigDrive", "Config drives."),
    "os-console-output": ("ConsoleOutput", "Serial consoles of servers."),
    "os-extended-server-attributes": ("ExtendedServerAttributes", "Where servers are, for admins."),
    "os-extended-status": ("ExtendedStatus", "States and tasks of servers."),
    "os-flavor-extra-specs": ("FlavorExtraSpecs", "What flavors say beside their size, read only."),
    "os-hypervisors": ("Hypervisors", "Hosts, for admins."),
    "os-instance-actions": ("InstanceActions", "What was done with servers."),
    "os-keypairs": ("Keypairs", "Public keys of users."),
    "os-multiple-create": ("MultipleCreate", "Several servers at once."),
    "os-quota-sets": ("Quotas", "Limits of projects."),
    "os-security-groups": ("SecurityGroups", "Security groups of servers."),
    "os-services": ("Services", "Daemons, for admins."),
    "os-user-data": ("UserData", "User data of servers."),
}


class Extensions(Operations):
    """Extensions, from the time when Nova had them."""

    @app.route("/v2.1/extensions", methods=["GET"])
    @offered()
    async def list_extensions(self, call: Call) -> Answer:
        """All."""
        return Answer({"extensions": [_extension(alias) for alias in sorted(_EXTENSIONS)]})

    @app.route("/v2.1/extensions/<alias>", methods=["GET"])
    @offered()
    async def show_extension(self, call: Call, alias: str) -> Answer:
        """One."""
        if alias not in _EXTENSIONS:
            raise errors.NotFound("extension", alias)
        return Answer({"extension": _extension(alias)})

    @app.route("/v2.1/os-server-groups", methods=["GET"])
    @offered()
    async def list_server_groups(self, call: Call) -> Answer:
        """There are none: every project may have 0 of them."""
        return Answer({"server_groups": []})

    @app.route("/v2.1/os-server-groups", methods=["POST"])
    @offered()
    async def create_server_group(self, call: Call) -> Answer:
        """There can be none."""
        raise errors.NotSupported("Server groups are not offered by this cloud.")


def _extension(alias: str) -> dict[str, Any]:
    name, description = _EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": description, "links": [],
            "namespace": "https://docs.openstack.org/api-ref/compute/", "updated": "2014-12-03T00:00:00Z"}
