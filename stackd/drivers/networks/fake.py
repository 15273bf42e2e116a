"""The fake network: the wiring of a host in memory, at once, cheap enough for tens of thousands of ports.

A :class:`FakeNetworkWorld` is the host as it really is; a :class:`FakeNetwork` is only a driver of it. The world
answers whether a packet would pass, from the group rules alone, so that tests of the whole cloud can say what a
user of security groups would notice. The embedded cloud, tests and benchmarks use it.

Given a folder, the world is kept in a file there and outlives the process, so that a worker may really be killed.
"""

from ipaddress import ip_address, ip_network
from pathlib import Path

from attrs import mutable
from zope.interface import implementer

from stackd import errors
from stackd.drivers.networks.book import KINDS, Book
from stackd.drivers.worldfile import WorldFile
from stackd.interfaces.network import INetworkDriver
from stackd.model import wire
from stackd.model.groups import Direction, SecurityGroupRule
from stackd.model.wirings import GroupWiring, ObservedWiring, PortWiring, WiringChange

FILE = "wiring.json"


@mutable
class FakeNetworkWorld(Book):
    """One host as it really is; outlives every driver. ``tunnel_address`` is where other hosts reach its networks.

    ``physical_networks`` are those it is on.
    """

    tunnel_address: str = ""
    physical_networks: tuple[str, ...] = ()
    file: WorldFile | None = None
    """Where the world is kept beyond the process, if anywhere."""

    def recall(self) -> None:
        """See what others did to a world that is kept in a file."""
        kept = self.file.read() if self.file else None
        if kept is not None:
            for kind, cls in KINDS.items():
                setattr(self, kind, {one["id"]: wire.load(cls, one) for one in kept[kind]})

    def enter(self, change: WiringChange) -> None:
        """As any book; the change outlives the process where the world is kept in a file."""
        super().enter(change)
        if self.file is not None:
            self.file.write({kind: wire.dump(list(getattr(self, kind).values())) for kind in KINDS})

    def passes(self, source: str, target: str, protocol: str = "tcp", port: int = 22) -> bool:
        """Whether the first packet from ``source`` to ``target`` arrives.

        Both are ids of ports wired here, or addresses. A floating address leads to its port; any other address is
        outside and filters nothing. Ports of different networks reach each other only by floating addresses.
        """
        sender, receiver = self.ports.get(source), self._receiver(target)
        if sender is not None and receiver is not None and target in self.ports \
                and sender.network_id != receiver.network_id:
            return False
        family = ip_address(target).version if target not in self.ports else _family(sender, receiver)
        from_address = _address(sender, family) if sender else source
        to_address = _address(receiver, family) if receiver and target in self.ports else target
        return bool(from_address and to_address) \
            and self._lets(sender, Direction.EGRESS, to_address, protocol, port) \
            and self._lets(receiver, Direction.INGRESS, from_address, protocol, port)

    def reaches(self, port_id: str, other: "FakeNetworkWorld", other_port_id: str, protocol: str = "tcp",
                port: int = 22) -> bool:
        """Whether a packet of a port wired here comes to a port wired on another host, and the answer back.

        Each host must know the other's tunnel for the network both ports are on; then the groups of both decide.
        """
        sender, receiver = self.ports.get(port_id), other.ports.get(other_port_id)
        if sender is None or receiver is None or sender.network_id != receiver.network_id \
                or not (self._leads(sender.network_id, other) and other._leads(sender.network_id, self)):
            return False
        family = _family(sender, receiver)
        from_address, to_address = _address(sender, family), _address(receiver, family)
        return bool(from_address and to_address) and self.lets_out(port_id, to_address, protocol, port) \
            and other.lets_in(other_port_id, from_address, protocol, port)

    def _leads(self, network_id: str, other: "FakeNetworkWorld") -> bool:
        physical = self.networks[network_id].physical_network
        if physical:
            return physical in self.physical_networks and physical in other.physical_networks
        return bool(self.tunnel_address) and other.tunnel_address in self.networks[network_id].peers

    def lets_in(self, port_id: str, from_address: str, protocol: str = "tcp", port: int = 22) -> bool:
        """Whether a port wired here takes the first packet from an address, which may be on another host."""
        return self._lets(self.ports[port_id], Direction.INGRESS, from_address, protocol, port)

    def lets_out(self, port_id: str, to_address: str, protocol: str = "tcp", port: int = 22) -> bool:
        """Whether a port wired here may send the first packet to an address, which may be on another host."""
        return self._lets(self.ports[port_id], Direction.EGRESS, to_address, protocol, port)

    def _receiver(self, target: str) -> PortWiring | None:
        if target in self.ports:
            return self.ports[target]
        return next((self.ports.get(floating.port_id) for floating in self.floating_ips.values()
                     if floating.address == target), None)

    def _lets(self, port: PortWiring | None, direction: Direction, peer: str, protocol: str, number: int) -> bool:
        if port is None or not port.port_security:
            return True
        groups = (self.groups[id] for id in port.group_ids if id in self.groups)
        return any(rule.direction is direction and rule_matches(rule, group, peer, protocol, number)
                   for group in groups for rule in group.rules)


@implementer(INetworkDriver)
class FakeNetwork:
    """The driver; thrown away and made again over the same world it sees the same wiring."""

    def __init__(self, world: FakeNetworkWorld | None = None, folder: Path | None = None,
                 physical_networks: tuple[str, ...] = ()) -> None:
        """``world`` is the host; when not given, that kept in ``folder``, if any, or a new empty one.

        A host that is not given is on ``physical_networks``.
        """
        file = WorldFile(folder / FILE) if folder else None
        self._world = FakeNetworkWorld(file=file, physical_networks=physical_networks) if world is None else world

    @property
    def world(self) -> FakeNetworkWorld:
        """The host as it is now."""
        self._world.recall()
        return self._world

    async def observe(self) -> ObservedWiring:
        """What stands in the world."""
        return self.world.observed()

    async def apply(self, change: WiringChange) -> None:
        """Bring the change about."""
        for network in change.networks:
            if network.physical_network and network.physical_network not in self._world.physical_networks:
                raise errors.PermanentFailure(f"This host is not on physical network {network.physical_network}.")
        self.world.enter(change)

    async def clean(self) -> None:
        """Empty the world."""
        world = self.world
        world.enter(WiringChange(remove_networks=tuple(world.networks), remove_ports=tuple(world.ports),
                                 remove_floating_ips=tuple(world.floating_ips), remove_groups=tuple(world.groups)))

    async def close(self) -> None:
        """There are no threads to let go of."""


def rule_matches(rule: SecurityGroupRule, group: GroupWiring, peer: str, protocol: str, port: int) -> bool:
    """Whether one rule permits a packet of ``protocol`` to ``port``, whose other end is the address ``peer``."""
    address = ip_address(peer)
    if rule.ethertype != f"IPv{address.version}" or rule.protocol not in ("", protocol):
        return False
    if rule.remote_cidr and address not in ip_network(rule.remote_cidr, strict=False):
        return False
    if rule.remote_group_id and peer not in group.members.get(rule.remote_group_id, ()):
        return False
    lowest = rule.port_min if rule.port_min is not None else port
    highest = rule.port_max if rule.port_max is not None else port
    return protocol not in ("tcp", "udp") or lowest <= port <= highest


def _family(sender: PortWiring | None, receiver: PortWiring | None) -> int:
    """IPv4 where both ends have it, else IPv6."""
    return 4 if all(_address(end, 4) for end in (sender, receiver) if end) else 6


def _address(port: PortWiring, family: int) -> str:
    return next((address for address in port.addresses if ip_address(address).version == family), "")
