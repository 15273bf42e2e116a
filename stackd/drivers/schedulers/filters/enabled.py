"""Hosts an administrator took out of placement are refused."""

from stackd.drivers.schedulers.filters.refusal import No
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "enabled"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when disabled."""
    if host.enabled:
        return None
    return No(f"is disabled{': ' if host.disabled_reason else ''}{host.disabled_reason}")
