"""Hosts with too little free disk are refused."""

from stackd.drivers.schedulers.filters.refusal import No, lacking
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "disk"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when the claimable disk does not suffice."""
    return lacking("disk", "GiB", request.disk_gib, host.disk_gib - host.used_disk_gib)
