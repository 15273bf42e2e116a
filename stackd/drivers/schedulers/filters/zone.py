"""Hosts of other zones than the one asked for are refused."""

from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "zone"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when a zone was asked for and it is not this host's."""
    if not request.zone or request.zone == host.zone:
        return None
    return No(f"is in zone {host.zone}, not {request.zone}")
