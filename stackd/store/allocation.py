"""Making ports: hardware addresses, free fixed addresses and groups for many ports at once.

``store.ports.create`` is this module's :func:`create`. Subnet rows are locked while addresses are picked; the unique
keys (network, address) and (network, mac) are the last word.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen
from sqlalchemy import select

from stackd import errors
from stackd.model import kinds, wire
from stackd.model.ids import new_id
from stackd.model.networks import FixedIP, GroupName, Port, Subnet
from stackd.rules import addressing
from stackd.store import subnets
from stackd.store.database import Transaction
from stackd.store.many import insert_many
from stackd.store.tables.networks import port_addresses, port_groups, ports, security_groups


@frozen(kw_only=True)
class PortAsk:
    """A port to be made; its network must have been checked to be visible to the project.

    With neither ``subnet_id`` nor ``fixed_ip`` an IPv4 address of any subnet is taken, of one in ``zone`` where
    possible; an IPv6 address comes beside it where the network has an IPv6 subnet. ``group_ids`` are the
    project's own.
    """

    project_id: str
    network_id: str
    subnet_id: str | None = None
    fixed_ip: str | None = None
    group_ids: tuple[str, ...] = ()
    device_id: str = ""
    device_index: int = 0
    device_owner: str = ""
    zone: str = ""
    hostname: str = ""
    name: str = ""
    description: str = ""
    mac: str | None = None
    admin_state_up: bool = True
    port_security: bool = True
    delete_on_termination: bool = True


Candidates = list[tuple[Subnet, int]]


def create(tx: Transaction, asks: Sequence[PortAsk]) -> tuple[Port, ...]:
    """Make ports, in the order asked, in at most nine statements.

    There are more when subnets are nearly full, or a hardware address that was drawn is in use.
    Raises ``NotFound`` for a subnet or group that is not there, ``InvalidValue``, ``AddressInUse``,
    ``NoMoreAddresses``.
    """
    if not asks:
        return ()
    candidates = subnets.locked_of_networks(tx, [ask.network_id for ask in asks])
    names = _group_names(tx, asks)
    ids = _free_ids(tx, asks)
    fixed = _addresses(tx, asks, candidates, [ask.mac or addressing.mac_of(id) for ask, id in zip(asks, ids,
                                                                                               strict=True)])
    made = tuple(_port(tx, *each, names) for each in zip(asks, ids, fixed, strict=True))
    _insert(tx, made, asks)
    return made


def join_groups(tx: Transaction, group_ids_of: Mapping[str, Sequence[str]]) -> None:
    """Put ports into groups, in the order given."""
    rows = [{"port_id": port_id, "group_id": group_id, "position": position}
            for port_id, ids in group_ids_of.items() for position, group_id in enumerate(dict.fromkeys(ids))]
    insert_many(tx, port_groups, rows)


def _insert(tx: Transaction, made: Sequence[Port], asks: Sequence[PortAsk]) -> None:
    rows = []
    for port, ask in zip(made, asks, strict=True):
        row = wire.dump(port) | {"hostname": ask.hostname}
        del row["fixed_ips"], row["groups"]
        rows.append(row)
    insert_many(tx, ports, rows)
    taken = [{"port_id": port.id, "address": one.address, "network_id": port.network_id, "subnet_id": one.subnet_id,
              "number": addressing.number(one.address) if addressing.version(one.address) == 4 else 0,
              "position": position} for port in made for position, one in enumerate(port.fixed_ips)]
    insert_many(tx, port_addresses, taken)
    join_groups(tx, {port.id: [group.id for group in port.groups] for port in made})


def _port(tx: Transaction, ask: PortAsk, id: str, fixed: Sequence[FixedIP], names: Mapping[str, GroupName]) -> Port:
    return Port(id=id, project_id=ask.project_id, network_id=ask.network_id, name=ask.name,
                mac=ask.mac or addressing.mac_of(id), fixed_ips=tuple(fixed),
                groups=tuple(names[group_id] for group_id in dict.fromkeys(ask.group_ids)),
                device_id=ask.device_id, device_owner=ask.device_owner, device_index=ask.device_index,
                delete_on_termination=ask.delete_on_termination, admin_state_up=ask.admin_state_up,
                port_security=ask.port_security, description=ask.description,
                created_at=tx.now, updated_at=tx.now)


def _group_names(tx: Transaction, asks: Sequence[PortAsk]) -> dict[str, GroupName]:
    wanted = {(ask.project_id, id) for ask in asks for id in ask.group_ids}
    if not wanted:
        return {}
    rows = tx.execute(select(security_groups.c.id, security_groups.c.name, security_groups.c.project_id)
                      .where(security_groups.c.id.in_({id for _, id in wanted}))).all()
    there = {(row.project_id, row.id) for row in rows}
    for _, id in sorted(wanted - there):
        raise errors.NotFound(kinds.SECURITY_GROUP, id)
    return {row.id: GroupName(id=row.id, name=row.name) for row in rows}


def _free_ids(tx: Transaction, asks: Sequence[PortAsk]) -> list[str]:
    """New ids whose hardware addresses are free in the networks concerned, the ones asked for included."""
    asked = Counter(ask.mac for ask in asks if ask.mac is not None)
    _refuse_macs(mac for mac, times in asked.items() if times > 1)
    # Unlike each other before the database is asked: of 16 million, two of 300 are alike once in 370 times.
    used = set(asked)
    ids = [_id_unlike(used) for _ in asks]
    beside = ports.c.network_id.in_(sorted({ask.network_id for ask in asks}))
    while taken := set(tx.execute(select(ports.c.mac).where(beside, ports.c.mac.in_(
            [ask.mac or addressing.mac_of(id) for ask, id in zip(asks, ids, strict=True)]))).scalars()):
        _refuse_macs(taken & set(asked))
        ids = [_id_unlike(used) if addressing.mac_of(id) in taken else id for id in ids]
    return ids


def _id_unlike(used: set[str]) -> str:
    """A new id whose hardware address is none of these, and now is one of them."""
    while addressing.mac_of(id := new_id()) in used:
        pass
    used.add(addressing.mac_of(id))
    return id


def _refuse_macs(macs: Iterable[str]) -> None:
    for mac in macs:
        raise errors.AlreadyExists("mac_address", mac, remedy="Choose another hardware address, or none.")


def _addresses(tx: Transaction, asks: Sequence[PortAsk], candidates: Mapping[str, Candidates],
               macs: Sequence[str]) -> list[list[FixedIP]]:
    """The addresses of each port asked for, in order."""
    found: list[list[FixedIP]] = [[] for _ in asks]
    searching: dict[tuple[str, ...], list[int]] = {}
    of_id = {subnet.id: (subnet, cursor) for many in candidates.values() for subnet, cursor in many}
    for index, ask in enumerate(asks):
        usable = _usable(ask, candidates.get(ask.network_id, []))
        if ask.fixed_ip is not None:
            found[index].append(_asked_for(ask.fixed_ip, usable))
        elif order := tuple(subnet.id for subnet in usable if subnet.ip_version == 4):
            searching.setdefault(order, []).append(index)
        elif ask.subnet_id is None and not usable:
            raise errors.InvalidValue("network", f"network {ask.network_id} has no subnet to take an address from.")
    _refuse_taken(tx, asks, found)
    _search(tx, searching, of_id, found)
    for index, ask in enumerate(asks):
        found[index] += _slaac(ask, _usable(ask, candidates.get(ask.network_id, [])), found[index], macs[index])
    return found


def _usable(ask: PortAsk, candidates: Candidates) -> list[Subnet]:
    """The subnets an ask may take addresses from, the best first."""
    if ask.subnet_id is None:
        return sorted((subnet for subnet, _ in candidates), key=lambda subnet: subnet.zone != ask.zone)
    found = [subnet for subnet, _ in candidates if subnet.id == ask.subnet_id]
    if not found:
        raise errors.NotFound(kinds.SUBNET, ask.subnet_id)
    return found


def _asked_for(address: str, usable: Sequence[Subnet]) -> FixedIP:
    wanted = addressing.canonical(address, "fixed_ip")
    if addressing.version(wanted) == 6:
        raise errors.InvalidValue("fixed_ip", f"{address} cannot be chosen: guests make their own IPv6 addresses.")
    for subnet in usable:
        if addressing.assignable(subnet.cidr, wanted) and wanted != subnet.gateway_ip:
            return FixedIP(subnet_id=subnet.id, address=wanted)
    raise errors.InvalidValue("fixed_ip", f"{address} is no free host address of the network's subnets.")


def _refuse_taken(tx: Transaction, asks: Sequence[PortAsk], found: Sequence[Sequence[FixedIP]]) -> None:
    wanted = [(ask.network_id, one.address) for ask, many in zip(asks, found, strict=True) for one in many]
    if not wanted:
        return
    rows = tx.execute(select(port_addresses.c.network_id, port_addresses.c.address).where(
        port_addresses.c.address.in_({address for _, address in wanted}))).all()
    taken = {(row.network_id, row.address) for row in rows}
    for index, each in enumerate(wanted):
        if each in taken or each in wanted[:index]:
            raise errors.AddressInUse(f"The address {each[1]} is in use.")


def _search(tx: Transaction, searching: Mapping[tuple[str, ...], list[int]],
            of_id: Mapping[str, tuple[Subnet, int]], found: list[list[FixedIP]]) -> None:
    """Give each waiting port a free IPv4 address of the first of its subnets that has one."""
    cursors: dict[str, int] = {}
    taken = {one.address for many in found for one in many}
    for order, indexes in searching.items():
        waiting = list(indexes)
        for subnet_id in order:
            subnet, cursor = of_id[subnet_id]
            numbers = subnets.pick(tx, subnet, cursors.get(subnet_id, cursor), len(waiting) + len(taken)) \
                if waiting else []
            free = [number for number in numbers if addressing.text(number) not in taken][:len(waiting)]
            for number in free:
                found[waiting.pop(0)].append(FixedIP(subnet_id=subnet_id, address=addressing.text(number)))
                taken.add(addressing.text(number))
                cursors[subnet_id] = number
        if waiting:
            raise subnets.full(order)
    if cursors:
        subnets.move_cursors(tx, cursors)


def _slaac(ask: PortAsk, usable: Sequence[Subnet], have: Sequence[FixedIP], mac: str) -> list[FixedIP]:
    """The address a port gives itself in the first IPv6 subnet that may serve it."""
    if any(addressing.version(one.address) == 6 for one in have) or (ask.fixed_ip and ask.subnet_id):
        return []
    serving = next((subnet for subnet in usable if subnet.ip_version == 6), None)
    if serving is None:
        return []
    return [FixedIP(subnet_id=serving.id, address=addressing.slaac_address(serving.cidr, mac))]
