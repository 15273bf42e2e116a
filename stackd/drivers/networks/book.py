"""What a host was asked to wire, by kind and id: the part of every network driver that is only values.

The fake keeps a book in memory and nothing else; the real driver keeps one in its state folder and renders from it.
"""

from typing import Any

from attrs import field, mutable

from stackd.errors import TransientFailure
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, ObservedWiring, PortWiring, WiringChange

KINDS: dict[str, type[Any]] = {
    "networks": NetworkWiring,
    "ports": PortWiring,
    "floating_ips": FloatingWiring,
    "groups": GroupWiring,
}
"""The fields of a change, of an observation and of a book, in the order in which they need each other."""


@mutable
class Book:
    """Everything wired on one host, id -> record, for each kind."""

    networks: dict[str, NetworkWiring] = field(factory=dict)
    ports: dict[str, PortWiring] = field(factory=dict)
    floating_ips: dict[str, FloatingWiring] = field(factory=dict)
    groups: dict[str, GroupWiring] = field(factory=dict)

    def enter(self, change: WiringChange) -> None:
        """Keep what the change ensures and forget what it removes; ids it does not name stay as they are.

        Raises ``TransientFailure`` before anything is kept when a port's network, or a floating address' port, is
        wired neither before nor by the change.
        """
        self._refuse_orphans(change)
        for kind in KINDS:
            kept: dict[str, Any] = getattr(self, kind)
            for id in getattr(change, f"remove_{kind}"):
                kept.pop(id, None)
            for record in getattr(change, kind):
                kept[record.id] = record

    def observed(self) -> ObservedWiring:
        """The book as an observation, as if all in it stood."""
        return ObservedWiring(**{kind: {id: record.generation for id, record in getattr(self, kind).items()}
                                 for kind in KINDS})

    def port_at(self, network_id: str, address: str) -> PortWiring | None:
        """The port that holds a fixed address on a network."""
        return next((port for port in self.ports.values()
                     if port.network_id == network_id and address in port.addresses), None)

    def _refuse_orphans(self, change: WiringChange) -> None:
        networks = {network.id for network in change.networks}
        for port in change.ports:
            if port.network_id not in self.networks and port.network_id not in networks:
                raise TransientFailure(f"Network {port.network_id} of port {port.id} is not wired on this host yet.")
        ports = {port.id for port in change.ports}
        for floating in change.floating_ips:
            if floating.port_id not in self.ports and floating.port_id not in ports:
                raise TransientFailure(f"Port {floating.port_id} of address {floating.address} is not wired on this "
                                       "host yet.")
