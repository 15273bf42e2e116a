"""Hosts with a worker that was not heard of lately are refused."""

from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "alive"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when its compute or its network worker is gone."""
    return None if host.alive else No(f"its {host.silent[0]} worker does not answer")
