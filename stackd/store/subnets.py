"""Subnets in SQL, and the picking of free addresses in them.

A free address is looked for behind the one handed out last (``cursor``), in windows, so that a subnet with
thousands of addresses in use costs what an empty one costs, and a freed address is not reused at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import fields
from sqlalchemy import Row, Table, bindparam, delete, func, insert, select, update

from stackd import errors
from stackd.model import kinds, wire
from stackd.model.networks import AddressPool, PortDesired, Subnet
from stackd.rules import addressing
from stackd.store.chunks import gathered
from stackd.store.database import Transaction
from stackd.store.holding import hold
from stackd.store.tables.networks import floating_ips, networks, port_addresses, ports, subnets

_NAMES = tuple(attribute.name for attribute in fields(Subnet))


def get(tx: Transaction, id: str) -> Subnet:
    """One subnet, whoever asks; held when it is to be changed, so that nobody takes an address of it."""
    hold(tx, subnets, subnets.c.id == id)
    found = of_ids(tx, [id])
    if not found:
        raise errors.NotFound(kinds.SUBNET, id)
    return found[0]


def of_ids(tx: Transaction, ids: Iterable[str]) -> list[Subnet]:
    """Subnets by id, oldest first."""
    return gathered(ids, lambda some: _records(tx, subnets.c.id.in_(some)))


def of_networks(tx: Transaction, network_ids: Iterable[str]) -> list[Subnet]:
    """The subnets of some networks, oldest first within each piece."""
    return gathered(network_ids, lambda some: _records(tx, subnets.c.network_id.in_(some)))


def hold_network(tx: Transaction, network_id: str) -> None:
    """Nobody else adds subnets to the network until commit."""
    hold(tx, networks, networks.c.id == network_id)


def add(tx: Transaction, many: Sequence[Subnet]) -> None:
    """Insert subnets in one statement."""
    tx.execute(insert(subnets), [wire.dump(subnet) for subnet in many])


def change(tx: Transaction, id: str, values: Mapping[str, Any]) -> Subnet:
    """Set columns of a subnet; ``pools`` as :class:`AddressPool` tuples. ``updated_at`` follows."""
    columns = dict(values)
    if "pools" in columns:
        columns["pools"] = wire.dump(columns["pools"])
    tx.execute(update(subnets).where(subnets.c.id == id).values(updated_at=tx.now, **columns))
    return get(tx, id)


def remove(tx: Transaction, id: str) -> None:
    """Delete a subnet nothing uses."""
    tx.execute(delete(subnets).where(subnets.c.id == id))


def count(tx: Transaction, project_id: str) -> int:
    """How many subnets a project has."""
    return int(tx.execute(select(func.count()).where(subnets.c.project_id == project_id)).scalar_one())


def in_use(tx: Transaction, ids: Iterable[str]) -> dict[str, int]:
    """Subnet id -> addresses in use by living ports and floating addresses."""
    many = sorted(set(ids))
    of_ports = (select(port_addresses.c.subnet_id, func.count()).join(ports, ports.c.id == port_addresses.c.port_id)
                .where(port_addresses.c.subnet_id.in_(many), ports.c.desired == PortDesired.WIRED.value)
                .group_by(port_addresses.c.subnet_id))
    floating = (select(floating_ips.c.subnet_id, func.count()).where(floating_ips.c.subnet_id.in_(many))
                .group_by(floating_ips.c.subnet_id))
    used: dict[str, int] = {}
    for statement in (of_ports, floating):
        for id, addresses in tx.execute(statement):
            used[id] = used.get(id, 0) + addresses
    return used


def locked_of_networks(tx: Transaction, network_ids: Iterable[str]) -> dict[str, list[tuple[Subnet, int]]]:
    """Network id -> its subnets with their cursors, rows locked: nobody else picks there until commit."""
    found: dict[str, list[tuple[Subnet, int]]] = {}
    chosen = select(subnets).where(subnets.c.network_id.in_(sorted(set(network_ids))))
    for row in tx.execute(chosen.order_by(subnets.c.id).with_for_update()):
        found.setdefault(row.network_id, []).append((_record(row), row.cursor))
    for many in found.values():
        many.sort(key=lambda pair: (pair[0].created_at, pair[0].name, pair[0].id))
    return found


def pick(tx: Transaction, subnet: Subnet, cursor: int, wanted: int, table: Table = port_addresses) -> list[int]:
    """Up to ``wanted`` free numbers of an IPv4 subnet whose row is locked; fewer when it is full.

    ``table`` is where used numbers stand: those of ports, or of floating addresses. The caller moves the cursor
    with :func:`move_cursors`.
    """
    found: list[int] = []
    for low, high in addressing.windows(subnet.pools, cursor, wanted):
        if len(found) == wanted:
            break
        inside = (table.c.subnet_id == subnet.id) & table.c.number.between(low, high)
        size = high - low + 1
        # To count is much cheaper than to fetch; large windows are looked at in subnets that are nearly full.
        if size > addressing.SMALLEST_WINDOW and tx.execute(
                select(func.count()).where(inside)).scalar_one() == size:
            continue
        used = set(tx.execute(select(table.c.number).where(inside)).scalars())
        found += addressing.free(low, high, used, wanted - len(found))
    return found


def move_cursors(tx: Transaction, cursors: Mapping[str, int]) -> None:
    """Remember the number handed out last in each subnet."""
    tx.execute(update(subnets).where(subnets.c.id == bindparam("subnet")).values(cursor=bindparam("last")),
               [{"subnet": id, "last": last} for id, last in sorted(cursors.items())])


def full(subnet_ids: Iterable[str]) -> errors.NoMoreAddresses:
    """The error that no address is left in any of these subnets."""
    return errors.NoMoreAddresses(f"No more addresses in subnet {', '.join(sorted(subnet_ids))}.")


def _records(tx: Transaction, condition: Any) -> list[Subnet]:
    return [_record(row) for row in
            tx.execute(select(subnets).where(condition).order_by(subnets.c.created_at, subnets.c.name, subnets.c.id))]


def _record(row: Row[Any]) -> Subnet:
    values = {name: getattr(row, name) for name in _NAMES}
    return Subnet(**values | {"pools": tuple(AddressPool(**pool) for pool in row.pools), "dns": tuple(row.dns)})
