"""The network worker: brings the wiring of its host to what is assigned, in one change, and reports what stands.

There is one key for the whole host, so whatever came together is applied together. The plan is
``rules.plans.wiring``; the driver applies a change as one atomic ruleset. The metadata service of the host asks
:meth:`NetworkWorker.guest_at` whose address it is talking to: this worker is told of the instances too, so that a guest
is answered whether or not a compute worker runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen
from twisted.logger import Logger

from stackd import errors
from stackd.interfaces.bus import IEndpoint
from stackd.interfaces.network import INetworkDriver
from stackd.model.assignments import (
    Assignments,
    FloatingAssignment,
    FloatingReport,
    Hello,
    InstanceAssignment,
    PortAssignment,
    PortReport,
)
from stackd.model.faults import Fault, FaultCode
from stackd.model.networks import WiringState
from stackd.model.wirings import GroupWiring, NetworkWiring, ObservedWiring, WiringChange
from stackd.rules.plans.wiring import AssignedWiring, atoms, change_for, merged, newest, seen_floating_ips, seen_ports
from stackd.workers.endpoint import WorkerEndpoint
from stackd.workers.worker import HostWorker

_log = Logger()
_KEY = "wiring"

PATIENCE = 3
"""How many rounds in a row may fail in passing before the change is taken apart."""

Kept = PortAssignment | FloatingAssignment
Word = PortReport | FloatingReport


@frozen
class _Said:
    """A word, when it was said, and since when it has been the same."""

    word: Word
    at: float
    since: float


@frozen
class _Poisoned:
    """A port that cannot be wired: why, when that is tried again, and how long that is from the last time."""

    fault: Fault
    again: float
    pause: float


class NetworkWorker(HostWorker):
    """Cares for the wiring of one host."""

    kind = "network"

    def __init__(self, *, driver: INetworkDriver, tunnel_address: str = "", physical_networks: Sequence[str] = (),
                 **shared: Any) -> None:
        """``tunnel_address`` and ``physical_networks`` are those the driver has.

        ``shared`` are the arguments of :class:`HostWorker`.
        """
        super().__init__(**shared)
        self.driver = driver
        """The host's; the metadata service listens in its routers."""
        self._tunnel_address = tunnel_address
        self._physical_networks = tuple(physical_networks)
        self._ports: dict[str, PortAssignment] = {}
        self._networks: dict[str, NetworkWiring] = {}
        self._floating_ips: dict[str, FloatingAssignment] = {}
        self._groups: dict[str, GroupWiring] = {}
        self._guests: dict[str, InstanceAssignment] = {}
        self._at: dict[tuple[str, str], str] = {}
        self._said: dict[tuple[type, str], _Said] = {}
        self._poisoned: dict[str, _Poisoned] = {}
        self._rounds_failed = 0

    def guest_at(self, network_id: str, address: str) -> InstanceAssignment | None:
        """The instance of this host with a fixed address on a network; ``Unavailable`` before the first fetch."""
        if not self.assigned.version.incarnation:
            raise errors.Unavailable("This host has not heard from the cloud yet.", remedy="Ask again in a moment.")
        port = self._ports.get(self._at.get((network_id, address), ""))
        return self._guests.get(port.wiring.instance_id) if port is not None and port.wiring is not None else None

    def endpoint(self) -> IEndpoint:
        """Wakes only."""
        return WorkerEndpoint(self.assigned.woken, {})

    async def introduction(self) -> Hello:
        """Who this worker is, and where its host's networks are reached."""
        return evolve(await super().introduction(), tunnel_address=self._tunnel_address,
                      physical_networks=self._physical_networks)

    async def held(self) -> tuple[str, ...]:
        """Every port wired on the host, and every floating address it answers for."""
        observed = await self.driver.observe()
        return (*observed.ports, *observed.floating_ips)

    # --- what is assigned ---

    async def take(self, fetched: Assignments) -> None:
        """Keep the rows; look at the wiring when there are any."""
        self._try_at_once(fetched.instances)
        if fetched.full:
            for kept in (self._ports, self._networks, self._floating_ips, self._groups, self._at, self._guests,
                         self._said):
                kept.clear()
        for port in fetched.ports:
            self._keep_port(port)
        self._floating_ips.update((one.id, one) for one in fetched.floating_ips)
        self._groups.update((one.id, one) for one in fetched.groups)
        for id in fetched.ended:
            self._forget(id)
        self._keep_guests(fetched.instances)
        if fetched.full or fetched.ports or fetched.floating_ips or fetched.groups or fetched.ended:
            self.queue.add(_KEY)

    def _keep_port(self, port: PortAssignment) -> None:
        self._drop_addresses(self._ports.get(port.id))
        self._ports[port.id] = port
        if port.network is not None:
            # One port's word is for all on its network: it stays the newest when that port goes.
            self._networks.update(newest([port.network, *filter(None, [self._networks.get(port.network.id)])]))
        poisoned = self._poisoned.get(port.id)
        if poisoned is not None and poisoned.fault.generation != port.generation:
            del self._poisoned[port.id]
        if port.wiring is not None:
            self._at.update(((port.wiring.network_id, address), port.id) for address in port.wiring.addresses)

    def _try_at_once(self, fetched: tuple[InstanceAssignment, ...]) -> None:
        """Who asks anew for an instance wants its ports tried anew, too."""
        asked = {one.id for one in (each.instance for each in fetched)
                 if one.id in self._guests and self._guests[one.id].instance.generation < one.generation}
        for id, poisoned in self._poisoned.items():
            wiring = self._ports[id].wiring
            if wiring is not None and wiring.instance_id in asked:
                self._poisoned[id] = evolve(poisoned, again=self.clock.seconds())
                self.queue.add(_KEY)

    def _keep_guests(self, fetched: tuple[InstanceAssignment, ...]) -> None:
        """Instances are kept while a port of theirs is wired here."""
        wired = {port.wiring.instance_id for port in self._ports.values() if port.wiring is not None}
        known = self._guests | {one.instance.id: one for one in fetched}
        self._guests = {id: one for id, one in known.items() if id in wired}

    def _drop_addresses(self, port: PortAssignment | None) -> None:
        if port is not None and port.wiring is not None:
            for address in port.wiring.addresses:
                if self._at.get((port.wiring.network_id, address)) == port.id:
                    del self._at[port.wiring.network_id, address]

    def _forget(self, id: str) -> None:
        self._drop_addresses(self._ports.pop(id, None))
        self._floating_ips.pop(id, None)
        self._poisoned.pop(id, None)
        for kind in (PortReport, FloatingReport):
            self._said.pop((kind, id), None)

    # --- the wiring ---

    async def reconcile(self, key: str) -> float | None:
        """Observe, apply what differs, observe, report."""
        assigned = self._assigned()
        tried = {id: poisoned for id, poisoned in self._poisoned.items() if id in assigned.ports}
        observed = await self.driver.observe()
        change = change_for(assigned, observed)
        failures: list[errors.StackdError] = []
        if change != WiringChange():
            failures = await self._apply(change)
            observed = await self.driver.observe()
        if not failures:
            self._recovered(tried, observed)
        left = self._tell(assigned, observed)
        if failures:
            raise failures[0]
        return left

    def _assigned(self) -> AssignedWiring:
        """What is assigned now, without ports that cannot be wired and are not to be tried again yet."""
        now = self.clock.seconds()
        needed = {one.network.id for one in self._ports.values() if one.network}
        self._networks = {id: network for id, network in self._networks.items() if id in needed}
        return AssignedWiring(
            networks=dict(self._networks),
            ports={id: one for id, one in self._ports.items()
                   if id not in self._poisoned or self._poisoned[id].again <= now or one.wiring is None},
            floating_ips=dict(self._floating_ips), groups=dict(self._groups))

    async def _apply(self, change: WiringChange) -> list[errors.StackdError]:
        """Apply as a whole; what failed for good, or in passing again and again, is taken apart.

        Returns the failures that are to be tried again.
        """
        try:
            await self.driver.apply(change)
        except errors.TransientFailure:
            self._rounds_failed += 1
            if self._rounds_failed < PATIENCE:
                raise
        except errors.DriverFailure:
            pass
        else:
            self._rounds_failed = 0
            return []
        return await self._apply_halves(atoms(change))

    async def _apply_halves(self, changes: tuple[WiringChange, ...]) -> list[errors.StackdError]:
        """Halve until the poison stands alone, so that all others are wired."""
        if len(changes) == 1:
            return await self._apply_alone(changes[0])
        middle = len(changes) // 2
        failures = []
        for half in (changes[:middle], changes[middle:]):
            try:
                await self.driver.apply(merged(half))
            except errors.DriverFailure:
                failures += await self._apply_halves(half)
        return failures

    async def _apply_alone(self, change: WiringChange) -> list[errors.StackdError]:
        try:
            await self.driver.apply(change)
        except errors.PermanentFailure as failure:
            poisoned = {port.id for port in change.ports} | self._ports_on({net.id for net in change.networks})
            for id in poisoned:
                self._fault(id, failure)
            return [] if poisoned else [failure]
        except errors.DriverFailure as failure:
            return [failure]
        return []

    def _ports_on(self, network_ids: set[str]) -> set[str]:
        return {id for id, one in self._ports.items()
                if one.wiring is not None and one.wiring.network_id in network_ids}

    def _fault(self, port_id: str, failure: errors.PermanentFailure) -> None:
        port, before, now = self._ports.get(port_id), self._poisoned.get(port_id), self.clock.seconds()
        if port is None or (before is not None and before.again > now):
            return  # what is not due yet failed in this round already, by its network
        _log.warn("Port {id} cannot be wired: {failure}", id=port_id, failure=str(failure))
        # Each try costs all others of the host the time to take the change apart: seldom, then ever more so.
        pause = min(2 * before.pause, self.settings.tell_again) if before else self.settings.resync
        # The time makes it a new word, so that an instance that waits for the port since gets the fault, too.
        fault = Fault(code=FaultCode.NETWORK, generation=port.generation, message=str(failure),
                      detail=repr(failure), at=now)
        self._poisoned[port_id] = _Poisoned(fault, now + pause, pause)

    def _recovered(self, tried: Mapping[str, _Poisoned], observed: ObservedWiring) -> None:
        """Ports that were tried again and did not fail."""
        for id, poisoned in tried.items():
            if self._poisoned.get(id) is poisoned and id in observed.ports:
                del self._poisoned[id]

    # --- what is told ---

    def _tell(self, assigned: AssignedWiring, observed: ObservedWiring) -> float | None:
        """Report what is new; when to look again at what is gone, or to be tried again."""
        words: list[Word] = [word for word in seen_ports(assigned, observed) if word.id not in self._poisoned]
        words += seen_floating_ips(assigned, observed)
        words += [PortReport(id=id, observed=WiringState.ABSENT, generation=one.fault.generation, fault=one.fault)
                  for id, one in self._poisoned.items()]
        left = [after for after in (self._say(word) for word in words) if after is not None]
        # Not at once: one that neither failed nor is seen must not be looked for without end.
        left += [max(one.again - self.clock.seconds(), 1.0) for one in self._poisoned.values()]
        return min(left, default=None)

    def _say(self, word: Word) -> float | None:
        """Say it when it is new or was said long ago; what is gone is said twice, then forgotten."""
        now, row = self.clock.seconds(), (type(word), word.id)
        said = self._said.get(row)
        if said is None or said.word != word:
            self._said[row] = said = _Said(word, now, now)
            self.reporter.say(word)
        gone = word.observed is WiringState.ABSENT and word.id not in self._poisoned
        left = said.since + self.settings.second_look - now if gone else None
        if left is not None and left <= 0:
            self.reporter.say(word)
            self._forget(word.id)
            return None
        if said.at + self.settings.tell_again <= now:
            self._said[row] = _Said(word, now, said.since)
            self.reporter.say(word)
        return left
