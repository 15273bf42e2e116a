"""When an administrator names a host, every other one is refused."""

from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "named"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when another host was asked for."""
    return None if request.host in ("", host.name) else No(f"is not the host asked for ({request.host})")
