"""Networks in SQL: who sees which, the default one of a project, and the plain row work for ``core.networks``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import asdict
from sqlalchemy import Row, and_, delete, exists, func, insert, or_, select, update

from stackd import errors
from stackd.model import kinds
from stackd.model.networks import Network, NetworkType, PortDesired
from stackd.store.chunks import gathered
from stackd.store.database import Transaction
from stackd.store.holding import hold
from stackd.store.tables.networks import floating_ips, networks, ports, subnets

LARGEST_SEGMENT = 2**24 - 1
_COMPUTED = ("segment", "type", "physical_network", "vlan", "deleted", "short_id")
_COLUMNS = [column for column in networks.c if column.name not in _COMPUTED]
_ALIVE = networks.c.deleted.is_(False)


def visible(tx: Transaction, caller_project_id: str, is_admin: bool,
            ids: Sequence[str] | None = None) -> tuple[Network, ...]:
    """The networks a caller may use: own, shared and external ones; all for an admin. Newest first."""
    statement = select(networks).where(_ALIVE).order_by(networks.c.created_at.desc(), networks.c.id)
    if not is_admin:
        statement = statement.where(or_(networks.c.project_id == caller_project_id, networks.c.shared,
                                        networks.c.external))
    if ids is not None:
        statement = statement.where(networks.c.id.in_(ids))
    return _records(tx, statement)


def get(tx: Transaction, id: str) -> Network:
    """One network, whoever asks."""
    found = _records(tx, select(networks).where(networks.c.id == id, _ALIVE))
    if not found:
        raise errors.NotFound(kinds.NETWORK, id)
    return found[0]


def add(tx: Transaction, network: Network, free_vlans: tuple[int, int] | None = None) -> Network:
    """Insert a network with its segment, or a free one where that is 0 and it is neither external nor flat.

    VLAN ids are taken out of ``free_vlans``. Raises ``InUse``.
    """
    columns = {column.name for column in _COLUMNS}
    row = {name: value for name, value in asdict(network, recurse=False).items() if name in columns}
    tx.execute(insert(networks).values(type=network.type.value, **_ground(tx, network, free_vlans), **row))
    return get(tx, network.id)


def change(tx: Transaction, id: str, values: Mapping[str, Any]) -> Network:
    """Set columns of a network; ``updated_at`` follows."""
    tx.execute(update(networks).where(networks.c.id == id).values(updated_at=tx.now, **values))
    return get(tx, id)


def raise_generation(tx: Transaction, id: str) -> None:
    """Say that what hosts wire of this network has changed."""
    tx.execute(update(networks).where(networks.c.id == id).values(generation=networks.c.generation + 1))


def remove(tx: Transaction, id: str) -> None:
    """Delete a network without living ports; its row stays, unseen, until no host has a port on it."""
    tx.execute(delete(subnets).where(subnets.c.network_id == id))
    tx.execute(update(networks).where(networks.c.id == id).values(deleted=True))
    sweep(tx)


def sweep(tx: Transaction) -> None:
    """Erase deleted networks that no port is left on."""
    tx.execute(delete(networks).where(networks.c.deleted.is_(True),
                                      ~exists().where(ports.c.network_id == networks.c.id)))


def count(tx: Transaction, project_id: str) -> int:
    """How many networks a project has."""
    return int(tx.execute(select(func.count()).where(networks.c.project_id == project_id, _ALIVE)).scalar_one())


def users(tx: Transaction, id: str) -> tuple[int, int]:
    """How many living ports and how many floating addresses stand on a network.

    Its subnets are held when it is to be deleted: nobody takes an address of them until commit.
    """
    hold(tx, subnets, subnets.c.network_id == id)
    on_ports = select(func.count()).where(ports.c.network_id == id,
                                          ports.c.desired == PortDesired.WIRED.value).scalar_subquery()
    on_addresses = select(func.count()).where(floating_ips.c.network_id == id).scalar_subquery()
    row = tx.execute(select(on_ports, on_addresses)).one()
    return int(row[0]), int(row[1])


def used_by_others(tx: Transaction, network: Network) -> bool:
    """Whether another project has a port on a network, which then cannot stop being shared."""
    chosen = and_(ports.c.network_id == network.id, ports.c.project_id != network.project_id)
    return tx.execute(select(ports.c.id).where(chosen).limit(1)).scalar() is not None


def external_ids(tx: Transaction) -> tuple[str, ...]:
    """The external networks, oldest first: floating addresses come from the first unless another is named."""
    chosen = select(networks.c.id).where(networks.c.external, _ALIVE).order_by(networks.c.created_at, networks.c.id)
    return tuple(tx.execute(chosen).scalars())


def hosts(tx: Transaction, id: str) -> dict[str, list[str]]:
    """Host -> ids of its ports on a network: who must look when the network changes."""
    found: dict[str, list[str]] = {}
    for host, port_id in tx.execute(select(ports.c.host, ports.c.id).where(ports.c.network_id == id,
                                                                           ports.c.host != "")):
        found.setdefault(host, []).append(port_id)
    return found


def of_ids(tx: Transaction, ids: Iterable[str]) -> dict[str, Network]:
    """Networks by id, without asking who may see them."""
    return {network.id: network for network in gathered(
        ids, lambda some: _records(tx, select(networks).where(networks.c.id.in_(some))))}


def physical_of_devices(tx: Transaction, device_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The physical networks the ports of devices are on, for those that are on any."""
    on_any = networks.c.physical_network.is_not(None)
    # Most clouds have none, and the scheduler asks often.
    if not device_ids or tx.execute(select(networks.c.id).where(on_any).limit(1)).scalar() is None:
        return {}
    chosen = (select(ports.c.device_id, networks.c.physical_network).distinct()
              .join(networks, networks.c.id == ports.c.network_id).where(on_any)
              .order_by(networks.c.physical_network))
    found: dict[str, list[str]] = {}
    for device_id, name in gathered(device_ids, lambda some: tx.execute(
            chosen.where(ports.c.device_id.in_(some))).all()):
        found.setdefault(device_id, []).append(name)
    return {device_id: tuple(names) for device_id, names in found.items()}


def _ground(tx: Transaction, network: Network, free_vlans: tuple[int, int] | None) -> dict[str, Any]:
    """The columns that say what a network stands on."""
    if network.external:
        return {}
    if network.type is NetworkType.VXLAN:
        if network.segment:
            _demand_unused(tx, networks.c.segment == network.segment, f"segment {network.segment}")
        return {"segment": network.segment or _free_segment(tx, network.id)}
    name, vlan = network.physical_network, network.segment
    if free_vlans is not None:
        vlan = _free_vlan(tx, name, free_vlans)
    on_it = (networks.c.physical_network == name) & (networks.c.vlan == vlan)
    _demand_unused(tx, on_it, f"VLAN {vlan} of physical network {name}" if vlan else f"physical network {name}, flat")
    return {"physical_network": name, "vlan": vlan}


def _demand_unused(tx: Transaction, chosen: Any, what: str) -> None:
    id = tx.execute(select(networks.c.id).where(chosen)).scalar()
    if id is not None:
        raise errors.SegmentInUse(f"Network {id} has {what}.")


def _free_vlan(tx: Transaction, physical_network: str, free: tuple[int, int]) -> int:
    taken = set(tx.execute(select(networks.c.vlan).where(networks.c.physical_network == physical_network)).scalars())
    first, last = free
    for vlan in range(first, last + 1):
        if vlan not in taken:
            return vlan
    raise errors.SegmentInUse(f"All VLANs {first} to {last} of physical network {physical_network} are used.",
                          remedy="Delete networks, or widen vlan_ranges.")


def _free_segment(tx: Transaction, id: str) -> int:
    # The id is random already; the look aside is for the rare clash.
    start = 1 + int(id[-6:], 16) % (LARGEST_SEGMENT - 256)
    taken = set(tx.execute(select(networks.c.segment).where(networks.c.segment.between(start, start + 255))).scalars())
    return next(segment for segment in range(start, start + 256) if segment not in taken)


def _records(tx: Transaction, statement: Any) -> tuple[Network, ...]:
    rows = tx.execute(statement).all()
    if not rows:
        return ()
    of_network: dict[str, list[str]] = {}
    chosen = select(subnets.c.network_id, subnets.c.id).order_by(subnets.c.created_at, subnets.c.name, subnets.c.id)
    for network_id, subnet_id in tx.execute(chosen.where(subnets.c.network_id.in_([row.id for row in rows]))):
        of_network.setdefault(network_id, []).append(subnet_id)
    return tuple(_record(row, of_network.get(row.id, [])) for row in rows)


def _record(row: Row[Any], subnet_ids: list[str]) -> Network:
    return Network(segment=row.segment or row.vlan or 0, type=NetworkType(row.type), subnet_ids=tuple(subnet_ids),
                   physical_network=row.physical_network or "",
                   **{column.name: getattr(row, column.name) for column in _COLUMNS})
