"""The wiring of one host: assigned against observed, as one change; and what the observation tells the cloud.

The network worker gathers everything assigned to its host, asks :func:`change_for`, applies the change as a whole and
reports :func:`seen_ports` and :func:`seen_floating_ips`. Pure; ids that nobody assigned are left as they are.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from attrs import evolve, field, frozen

from stackd.model.assignments import FloatingAssignment, FloatingReport, PortAssignment, PortReport
from stackd.model.networks import WiringState
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, ObservedWiring, PortWiring, WiringChange

W = TypeVar("W", NetworkWiring, PortWiring, FloatingWiring, GroupWiring)


@frozen(kw_only=True)
class AssignedWiring:
    """Everything the cloud has told the network worker of one host, by id.

    ``networks`` are the newest words about networks, which came with any port of theirs.
    """

    ports: Mapping[str, PortAssignment] = field(factory=dict)
    floating_ips: Mapping[str, FloatingAssignment] = field(factory=dict)
    groups: Mapping[str, GroupWiring] = field(factory=dict)
    networks: Mapping[str, NetworkWiring] = field(factory=dict)


def change_for(assigned: AssignedWiring, observed: ObservedWiring) -> WiringChange:
    """What differs: to be wired, wired anew or removed."""
    wired = [one.wiring for one in assigned.ports.values() if one.wiring is not None]
    networks = _needed_networks(assigned)
    groups = {id for port in wired for id in port.group_ids}
    change = WiringChange(
        networks=_stale(networks.values(), observed.networks),
        ports=_stale(wired, observed.ports),
        floating_ips=_stale((one.wiring for one in assigned.floating_ips.values() if one.wiring is not None),
                            observed.floating_ips),
        groups=_stale((group for id, group in assigned.groups.items() if id in groups), observed.groups),
        remove_ports=_unwanted(assigned.ports, observed.ports),
        remove_floating_ips=_unwanted(assigned.floating_ips, observed.floating_ips))
    if observed.ports.keys() - assigned.ports.keys():
        return change  # ports nobody assigned stand here: what they need is not known, so it stays
    return evolve(change, remove_networks=tuple(sorted(observed.networks.keys() - networks.keys())),
                  remove_groups=tuple(sorted(observed.groups.keys() - groups)))


def atoms(change: WiringChange) -> tuple[WiringChange, ...]:
    """The change cut into changes of one id each, in an order in which each finds what it needs."""
    return tuple(WiringChange(**{kind: (one,)}) for kind in _ORDER for one in getattr(change, kind))


def merged(changes: Iterable[WiringChange]) -> WiringChange:
    """Several changes as one."""
    many = tuple(changes)
    return WiringChange(**{kind: tuple(one for change in many for one in getattr(change, kind)) for kind in _ORDER})


_ORDER = ("remove_floating_ips", "remove_ports", "networks", "groups", "ports", "floating_ips", "remove_networks",
          "remove_groups")


def seen_ports(assigned: AssignedWiring, observed: ObservedWiring) -> Iterator[PortReport]:
    """One word for each assigned port: wired at a generation, or absent; none while it is still to be wired."""
    for one in assigned.ports.values():
        generation = observed.ports.get(one.id)
        if generation is not None:
            yield PortReport(id=one.id, observed=WiringState.WIRED, generation=generation)
        elif one.wiring is None:
            yield PortReport(id=one.id, observed=WiringState.ABSENT, generation=one.generation)


def seen_floating_ips(assigned: AssignedWiring, observed: ObservedWiring) -> Iterator[FloatingReport]:
    """One word for each assigned floating address; none while it is still to be wired."""
    for one in assigned.floating_ips.values():
        generation = observed.floating_ips.get(one.id)
        if generation is not None:
            yield FloatingReport(id=one.id, observed=WiringState.WIRED, generation=generation)
        elif one.wiring is None:
            yield FloatingReport(id=one.id, observed=WiringState.ABSENT, generation=one.generation)


def newest(words: Iterable[NetworkWiring]) -> dict[str, NetworkWiring]:
    """Of several words about a network, the newest."""
    found: dict[str, NetworkWiring] = {}
    for network in words:
        if network.id not in found or found[network.id].generation < network.generation:
            found[network.id] = network
    return found


def _needed_networks(assigned: AssignedWiring) -> dict[str, NetworkWiring]:
    """The networks ports are to be wired on."""
    needed = {one.wiring.network_id for one in assigned.ports.values() if one.wiring}
    words = [one.network for one in assigned.ports.values() if one.network]
    return {id: network for id, network in newest([*assigned.networks.values(), *words]).items() if id in needed}


def _stale(wanted: Iterable[W], standing: Mapping[str, int]) -> tuple[W, ...]:
    return tuple(one for one in wanted if standing.get(one.id) != one.generation)


def _unwanted(assigned: Mapping[str, PortAssignment] | Mapping[str, FloatingAssignment],
              standing: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(id for id, one in assigned.items() if one.wiring is None and id in standing)
