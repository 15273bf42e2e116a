"""More free virtual CPUs are better."""

from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest


def weigh(request: PlacementRequest, host: Host) -> float:
    """The share of the CPUs that is free."""
    return (host.vcpus - host.used_vcpus) / max(host.vcpus, 1)
