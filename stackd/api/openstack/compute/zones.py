"""``/v2.1/os-availability-zone``."""

from typing import Any

from stackd.api.openstack.compute.routing import Operations, app, offered
from stackd.api.openstack.compute.views import operators as views
from stackd.api.openstack.http import Answer, Call


class Zones(Operations):
    """Availability zones."""

    @app.route("/v2.1/os-availability-zone", methods=["GET"])
    @offered()
    async def list_zones(self, call: Call) -> Answer:
        """Names, and whether a host takes placements."""
        return Answer({"availabilityZoneInfo": [
            views.zone(zone.name, zone.available, None) for zone in await self.cloud.zones.list(call.caller)]})

    @app.route("/v2.1/os-availability-zone/detail", methods=["GET"])
    @offered()
    async def list_zone_details(self, call: Call) -> Answer:
        """With their hosts, for admins."""
        hosts = await self.cloud.hosts.list(call.caller)
        workers = await self.cloud.hosts.workers(call.caller)
        shown: list[dict[str, Any]] = [views.zone("internal", True, views.control_daemons(workers))]
        for zone in await self.cloud.zones.list(call.caller):
            inside = {host.name: views.compute_daemon(host) for host in hosts if host.zone == zone.name}
            shown.append(views.zone(zone.name, zone.available, inside))
        return Answer({"availabilityZoneInfo": shown})
