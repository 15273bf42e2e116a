"""Hosts whose compute worker was not heard of lately are refused."""

from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "alive"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when its worker is gone."""
    return None if host.alive else No("its compute worker does not answer")
