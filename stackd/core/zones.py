"""Zones for every caller."""

from stackd.core.hosts import Hosts
from stackd.model.callers import Caller
from stackd.model.zones import Zone


class Zones:
    """The availability zones of the cloud."""

    def __init__(self, hosts: Hosts) -> None:
        """``hosts`` knows which zones have hosts that take placements."""
        self._hosts = hosts

    async def list(self, caller: Caller) -> tuple[Zone, ...]:
        """All zones, in the order of the configuration."""
        return await self._hosts.zones(caller)
