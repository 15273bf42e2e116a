"""Hosts, their workers and the zones they make up."""

from collections.abc import Sequence

from stackd.model.callers import ADMIN, READER, Caller
from stackd.model.hosts import Host, WorkerContact
from stackd.model.zones import Zone
from stackd.rules import policy
from stackd.store import hosts
from stackd.store.database import Database


class Hosts:
    """Use cases of operators; everybody may list zones."""

    def __init__(self, database: Database, zones: Sequence[str], host_gone: float) -> None:
        """``host_gone`` is after how many silent seconds a worker counts as down."""
        self._database = database
        self._zones = tuple(zones)
        self._host_gone = host_gone

    async def list(self, caller: Caller) -> tuple[Host, ...]:
        """All hosts, by name."""
        policy.demand(caller, ADMIN, "list hosts")
        return await self._database.read(hosts.listed, self._host_gone)

    async def lost(self, caller: Caller) -> frozenset[str]:
        """The hosts that are down, by which users are shown what became of their instances."""
        policy.demand(caller, READER, "list instances")
        return await self._database.read(hosts.lost, self._host_gone)

    async def workers(self, caller: Caller) -> tuple[WorkerContact, ...]:
        """All workers and when they were last heard of."""
        policy.demand(caller, ADMIN, "list workers")
        return await self._database.read(hosts.contacts_of_all, self._host_gone)

    async def enable(self, caller: Caller, name: str, enabled: bool, reason: str = "") -> None:
        """Let a host take placements, or no longer."""
        policy.demand(caller, ADMIN, "enable or disable hosts")
        await self._database.write(hosts.enable, name, enabled, reason)

    async def zones(self, caller: Caller) -> tuple[Zone, ...]:
        """The cloud's zones, and those of its hosts; available when a host of theirs takes placements."""
        policy.demand(caller, READER, "list zones")
        found = await self._database.read(hosts.listed, self._host_gone)
        up = {host.zone for host in found if host.enabled and host.alive}
        names = dict.fromkeys((*self._zones, *sorted({host.zone for host in found if host.zone})))
        return tuple(Zone(name=name, available=name in up) for name in names)
