"""Hosts that are not on a physical network the instance has a port on are refused."""

from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "cabling"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when a physical network is missing there."""
    missing = [name for name in request.physical_networks if name not in host.physical_networks]
    return No(f"is not on physical network {missing[0]}") if missing else None
