"""More free memory is better: guests are spread by what they need most."""

from stackd.model.hosts import Host
from stackd.model.scheduling import PlacementRequest


def weigh(request: PlacementRequest, host: Host) -> float:
    """The share of the memory that is free."""
    return (host.memory_mib - host.used_memory_mib) / max(host.memory_mib, 1)
