"""Hosts with too few free virtual CPUs are refused."""

from stackd.drivers.schedulers.filters.refusal import No, lacking
from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest

NAME = "vcpus"


def refuse(request: PlacementRequest, host: Host) -> No | None:
    """No when the claimable CPUs do not suffice."""
    return lacking("CPU", "cores", request.vcpus, host.vcpus - host.used_vcpus)
