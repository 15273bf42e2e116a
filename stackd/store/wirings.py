"""What a host's network worker is told, put together from rows; the conductor's fetch calls it.

Whatever number of rows is asked for, each function runs a small constant number of statements.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve
from sqlalchemy import or_, select

from stackd.model.addresses import FloatingIP
from stackd.model.assignments import FloatingAssignment, PortAssignment
from stackd.model.devices import bridge_name, tap_name
from stackd.model.groups import SecurityGroupRule
from stackd.model.networks import Network, Port, PortDesired, Subnet
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, PortWiring
from stackd.rules import firewalls
from stackd.store import addresses, groups, networks, overlays, ports, subnets
from stackd.store.chunks import gathered
from stackd.store.database import Transaction
from stackd.store.tables import networks as tables

MOST_KNOWN = 1000

# A group with thousands of members is asked for by every host that has one, after each change: put it together once
# per generation, which rises with each change of rules and members. So it is with the hosts of a network.
_known: dict[str, GroupWiring] = {}
_known_peers: dict[str, tuple[int, Mapping[str, str]]] = {}


def port_assignments(tx: Transaction, host: str, ids: Sequence[str]) -> tuple[PortAssignment, ...]:
    """These ports for this host; without wiring where it is to remove them. Ids that are gone are left out."""
    return ports_for(tx, [(host, ids)])[0]


def ports_for(tx: Transaction, asked: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[PortAssignment, ...]]:
    """:func:`port_assignments` for many hosts at once, in the order asked."""
    wanted = {id for _, ids in asked for id in ids}
    found = {port.id: port for port in ports.of_ids(tx, wanted)}
    hostnames = ports.hostnames(tx, wanted)
    nets = _network_wirings(tx, {port.network_id for port in found.values()})
    peers = _peers(tx, nets.values())
    told = []
    for host, ids in asked:
        mine = [found[id] for id in ids if id in found]
        seen = {id: _seen_from(host, nets[id], peers[id]) for id in {port.network_id for port in mine}}
        told.append(tuple(PortAssignment(
            id=port.id, generation=port.generation, network=seen[port.network_id],
            wiring=_port_wiring(port, hostnames[port.id]) if _belongs(port, host) else None) for port in mine))
    return told


def floating_assignments(tx: Transaction, host: str, ids: Sequence[str]) -> tuple[FloatingAssignment, ...]:
    """These addresses for this host; without wiring where it is to withdraw them, or must wait for its turn."""
    return tuple(FloatingAssignment(id=floating.id, generation=floating.generation,
                                    wiring=_floating_wiring(floating, host))
                 for floating in addresses.of_ids(tx, ids))


def group_wirings(tx: Transaction, ids: Iterable[str]) -> tuple[GroupWiring, ...]:
    """These groups with their rules and the addresses of the members of every group the rules refer to."""
    generations = groups.generations(tx, ids)
    known = {id: wiring for id in generations if (wiring := _known.get(id)) and wiring.generation == generations[id]}
    fresh = _group_wirings(tx, [id for id in generations if id not in known])
    if len(_known) > MOST_KNOWN:
        _known.clear()
    _known.update(fresh)
    return tuple((known | fresh)[id] for id in generations)


def groups_for(tx: Transaction, asked: Sequence[Sequence[str]]) -> list[tuple[GroupWiring, ...]]:
    """:func:`group_wirings` for many hosts at once, in the order asked."""
    found = {group.id: group for group in group_wirings(tx, {id for ids in asked for id in ids})}
    return [tuple(found[id] for id in ids if id in found) for ids in asked]


def all_of_host(tx: Transaction, host: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The ids of the ports, floating addresses and groups a host must know, for a full fetch."""
    on_host = select(tables.ports.c.id).where(tables.ports.c.host == host).order_by(tables.ports.c.id)
    floating = select(tables.floating_ips.c.id).where(or_(
        tables.floating_ips.c.host == host, tables.floating_ips.c.holder == host)).order_by(tables.floating_ips.c.id)
    joined = (select(tables.port_groups.c.group_id).distinct()
              .join(tables.ports, tables.ports.c.id == tables.port_groups.c.port_id)
              .where(tables.ports.c.host == host, tables.ports.c.desired == PortDesired.WIRED.value)
              .order_by(tables.port_groups.c.group_id))
    first, second, third = (tuple(tx.execute(statement).scalars()) for statement in (on_host, floating, joined))
    return first, second, third


def _group_wirings(tx: Transaction, ids: Sequence[str]) -> dict[str, GroupWiring]:
    found = groups.find(tx, None, ids=ids) if ids else ()
    remote = {rule.remote_group_id for group in found for rule in group.rules if rule.remote_group_id}
    members = _member_addresses(tx, remote)
    return {group.id: GroupWiring(
        id=group.id, generation=group.generation, rules=tuple(_plain(rule) for rule in group.rules),
        members={rule.remote_group_id: members.get(rule.remote_group_id, ())
                 for rule in group.rules if rule.remote_group_id}) for group in found}


def _belongs(port: Port, host: str) -> bool:
    return port.host == host and port.desired is PortDesired.WIRED


def _port_wiring(port: Port, hostname: str) -> PortWiring:
    return PortWiring(
        id=port.id, generation=port.generation, network_id=port.network_id, tap=tap_name(port.id), mac=port.mac,
        addresses=tuple(one.address for one in port.fixed_ips), hostname=hostname, instance_id=port.device_id,
        group_ids=tuple(group.id for group in port.groups), port_security=port.port_security,
        admin_state_up=port.admin_state_up)


def _floating_wiring(floating: FloatingIP, host: str) -> FloatingWiring | None:
    if not floating.port_id or floating.deleted or not floating.host == floating.holder == host:
        return None
    return FloatingWiring(id=floating.id, generation=floating.generation, address=floating.address,
                          port_id=floating.port_id, fixed_ip=floating.fixed_ip)


def _network_wirings(tx: Transaction, ids: Iterable[str]) -> Mapping[str, NetworkWiring]:
    of_network: dict[str, list[Subnet]] = {}
    for subnet in subnets.of_networks(tx, ids):
        of_network.setdefault(subnet.network_id, []).append(subnet)
    return {id: _network_wiring(network, of_network.get(id, [])) for id, network in networks.of_ids(tx, ids).items()}


def _peers(tx: Transaction, nets: Iterable[NetworkWiring]) -> Mapping[str, Mapping[str, str]]:
    """Network id -> its hosts -> their tunnel addresses."""
    generations = {net.id: net.generation for net in nets}
    known = {id: kept for id, generation in generations.items()
             if (kept := _known_peers.get(id)) and kept[0] == generation}
    unread = generations.keys() - known.keys()
    read = overlays.of_networks(tx, unread) if unread else {}
    fresh = {id: (generations[id], read.get(id, {})) for id in unread}
    if len(_known_peers) > MOST_KNOWN:
        _known_peers.clear()
    _known_peers.update(fresh)
    return {id: hosts for id, (_, hosts) in (known | fresh).items()}


def _seen_from(host: str, net: NetworkWiring, peers: Mapping[str, str]) -> NetworkWiring:
    """The network as this host is told of it: ``peers`` are the others."""
    others = {address for name, address in peers.items() if name != host} - {peers.get(host)}
    return evolve(net, peers=tuple(sorted(others))) if others else net


def _network_wiring(network: Network, of_network: Sequence[Subnet]) -> NetworkWiring:
    on_cable = bool(network.physical_network)
    return NetworkWiring(id=network.id, generation=network.generation, bridge=bridge_name(network.id),
                         mtu=network.mtu, segment=0 if on_cable else network.segment, subnets=tuple(of_network),
                         physical_network=network.physical_network, vlan=network.segment if on_cable else 0,
                         admin_state_up=network.admin_state_up)


def _plain(rule: SecurityGroupRule) -> SecurityGroupRule:
    # Users may write 17 for udp; drivers know one word for each protocol.
    return evolve(rule, protocol=firewalls.protocol_word(rule.protocol, rule.ethertype))


def _member_addresses(tx: Transaction, group_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    standing = (select(tables.port_groups.c.group_id, tables.port_addresses.c.address)
                .join(tables.ports, tables.ports.c.id == tables.port_groups.c.port_id)
                .join(tables.port_addresses, tables.port_addresses.c.port_id == tables.ports.c.id)
                .where(groups.MEMBER).order_by(tables.port_addresses.c.number, tables.port_addresses.c.address))
    found: dict[str, list[str]] = {}
    for group_id, address in gathered(group_ids, lambda some: tx.execute(
            standing.where(tables.port_groups.c.group_id.in_(some))).all()):
        found.setdefault(group_id, []).append(address)
    return {group_id: tuple(many) for group_id, many in found.items()}
