"""Hosts with too little free memory are refused."""

from stackd.drivers.schedulers.filters.refusal import No, lacking
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "memory"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when the claimable memory does not suffice."""
    return lacking("memory", "MiB", request.memory_mib, host.memory_mib - host.used_memory_mib)
