"""Ports in SQL: made with their addresses, bound to instances and hosts, unbound, and removed when seen gone.

The transactions of launch, placement, reports and ``core.ports`` call it. Whatever number of ports is concerned, each
function runs a small constant number of statements.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from attrs import fields, frozen
from sqlalchemy import Row, Select, delete, func, select, update

from stackd import errors
from stackd.model import kinds, wire
from stackd.model.assignments import PortReport
from stackd.model.faults import Fault
from stackd.model.networks import FixedIP, GroupName, Port, PortDesired, WiringState
from stackd.store import addresses, allocation, groups, networks, overlays, stamps
from stackd.store.allocation import PortAsk
from stackd.store.chunks import chunks, gathered
from stackd.store.database import Transaction
from stackd.store.holding import hold
from stackd.store.many import update_many
from stackd.store.marks import not_newer
from stackd.store.tables.base import MARKS
from stackd.store.tables.networks import floating_ips, port_addresses, port_groups, ports, security_groups

__all__ = ["PortAsk", "PortQuery", "adopt", "change", "count", "create", "find", "get", "observed", "of_devices",
           "of_ids", "place", "release", "remove", "set_groups"]

_PLAIN = tuple(attribute.name for attribute in fields(Port)
               if attribute.name not in ("fixed_ips", "groups", "desired", "observed", "fault"))
# In the order _record takes them: thousands of rows are read for one page, and access by name is slow.
_COLUMNS = [ports.c[name] for name in ("desired", "observed", "fault", *_PLAIN)]
_ALIVE = ports.c.desired == PortDesired.WIRED.value
DYING = ports.c.desired == PortDesired.DELETED.value
"""Their hosts are to say that they are gone."""

create = allocation.create


@frozen(kw_only=True)
class PortQuery:
    """Which ports; None means no condition, values inside a field are alternatives."""

    project_id: str | None = None
    ids: Sequence[str] | None = None
    device_ids: Sequence[str] | None = None
    network_ids: Sequence[str] | None = None


def find(tx: Transaction, query: PortQuery) -> tuple[Port, ...]:
    """Ports that are not being deleted, complete, newest first."""
    conditions: list[Any] = [_ALIVE]
    if query.project_id is not None:
        conditions.append(ports.c.project_id == query.project_id)
    for column, values in ((ports.c.id, query.ids), (ports.c.device_id, query.device_ids),
                           (ports.c.network_id, query.network_ids)):
        if values is not None:
            conditions.append(column.in_(values))
    found = _records(tx, *conditions)
    return tuple(sorted(found, key=lambda port: (-port.created_at, port.id)))


def get(tx: Transaction, id: str) -> Port:
    """One port that is not being deleted, whoever asks; held when it is to be changed."""
    hold(tx, ports, ports.c.id == id)
    found = find(tx, PortQuery(ids=(id,)))
    if not found:
        raise errors.NotFound(kinds.PORT, id)
    return found[0]


def of_ids(tx: Transaction, ids: Iterable[str]) -> list[Port]:
    """Ports by id, those being deleted included."""
    return gathered(ids, lambda some: _records(tx, ports.c.id.in_(some)))


def of_devices(tx: Transaction, device_ids: Iterable[str]) -> dict[str, tuple[Port, ...]]:
    """Device id -> its ports in order of their index, with addresses, floating addresses and group names."""
    found: dict[str, list[Port]] = {}
    for port in gathered(device_ids, lambda some: _records(tx, ports.c.device_id.in_(some), _ALIVE)):
        found.setdefault(port.device_id, []).append(port)
    return {id: tuple(sorted(many, key=lambda port: (port.device_index, port.created_at, port.id)))
            for id, many in found.items()}


def hostnames(tx: Transaction, ids: Iterable[str]) -> dict[str, str]:
    """Port id -> the host name DHCP hands out."""
    return {id: name for id, name in gathered(ids, lambda some: tx.execute(
        select(ports.c.id, ports.c.hostname).where(ports.c.id.in_(some))).all())}


def count(tx: Transaction, project_id: str) -> int:
    """How many ports a project has, for its quota."""
    return int(tx.execute(counting(project_id)).scalar_one())


def counting(project_id: str) -> Select[int]:
    """The statement of :func:`count`, to be part of another."""
    return select(func.count()).where(ports.c.project_id == project_id, _ALIVE)


def adopt(tx: Transaction, project_id: str, port_id: str, device_id: str, device_index: int, device_owner: str,
          hostname: str = "") -> None:
    """An instance borrows a port its user made; raises ``NotFound``, and ``InUse`` when it has a device."""
    row = tx.execute(select(ports.c.device_id).where(
        ports.c.id == port_id, ports.c.project_id == project_id, _ALIVE).with_for_update()).one_or_none()
    if row is None:
        raise errors.NotFound(kinds.PORT, port_id)
    if row.device_id:
        raise errors.InUse(kinds.PORT, port_id, f"device {row.device_id}")
    change(tx, port_id, {"device_id": device_id, "device_index": device_index, "device_owner": device_owner,
                         "hostname": hostname, "delete_on_termination": False})


def change(tx: Transaction, id: str, values: Mapping[str, Any], rewire: bool = False) -> None:
    """Set columns of a port; with ``rewire`` its generation rises and its host must look."""
    generation = ports.c.generation + 1 if rewire else ports.c.generation
    tx.execute(update(ports).where(ports.c.id == id).values(updated_at=tx.now, generation=generation, **values))
    if rewire:
        host = tx.execute(select(ports.c.host).where(ports.c.id == id)).scalar_one()
        tx.stamp(host, kinds.PORT, [id])


def set_groups(tx: Transaction, port: Port, group_ids: Sequence[str]) -> None:
    """Put a port into exactly these groups and tell every host concerned."""
    before = {group.id for group in port.groups}
    tx.execute(delete(port_groups).where(port_groups.c.port_id == port.id))
    allocation.join_groups(tx, {port.id: group_ids})
    change(tx, port.id, {}, rewire=True)
    if port.host:
        tx.stamp(port.host, kinds.SECURITY_GROUP, group_ids)
        groups.members_changed(tx, before ^ set(group_ids))


def place(tx: Transaction, host_of: Mapping[str, str]) -> None:
    """The devices were placed: their ports stand on these hosts now, and so do what leads to them and their groups."""
    rows = [row for row in gathered(host_of, lambda some: tx.execute(
        select(ports.c.id, ports.c.device_id, ports.c.host, ports.c.network_id)
        .where(ports.c.device_id.in_(some), _ALIVE)).all())
        if row.host != host_of[row.device_id]]
    if not rows:
        return
    placed = {row.id: host_of[row.device_id] for row in rows}
    with overlays.watched(tx, {row.network_id for row in rows}, {row.host for row in rows} | set(placed.values())):
        _bind(tx, placed)
    for row in rows:
        tx.stamp(row.host, kinds.PORT, [row.id])
        tx.stamp(placed[row.id], kinds.PORT, [row.id])
    addresses.follow(tx, placed)
    joined = groups.of_ports(tx, placed)
    for port_id, group_ids in joined.items():
        tx.stamp(placed[port_id], kinds.SECURITY_GROUP, group_ids)
    groups.members_changed(tx, {group_id for group_ids in joined.values() for group_id in group_ids})


def overdue(before: float, hosts: Select[str]) -> Select[str, str]:
    """(host, id) of deleted ports of which these hosts have not said since then that they are gone, as a statement."""
    return select(ports.c.host, ports.c.id).where(
        DYING, ports.c.updated_at < before, ports.c.host.in_(hosts)).order_by(ports.c.id)


def release(tx: Transaction, device_ids: Iterable[str]) -> None:
    """The devices are gone: unbind the ports their users made, delete the others, disassociate public addresses."""
    found = [port for many in of_devices(tx, device_ids).values() for port in many]
    remove(tx, [port for port in found if port.delete_on_termination])
    kept = [port for port in found if not port.delete_on_termination]
    if kept:
        _leave(tx, kept)
        with _watched(tx, kept):
            _bind(tx, {port.id: "" for port in kept}, device_id="", device_owner="", device_index=0, hostname="")


def remove(tx: Transaction, many: Sequence[Port]) -> None:
    """Delete ports: at once where no host has them, else when the host saw them gone."""
    if not many:
        return
    _leave(tx, many)
    _erase(tx, [port.id for port in many if not port.host])
    dying = {port.id: port.host for port in many if port.host}
    for some in chunks(dying):
        tx.execute(delete(port_groups).where(port_groups.c.port_id.in_(some)))
    with _watched(tx, many):
        _bind(tx, dying, desired=PortDesired.DELETED.value)


def observed(tx: Transaction, host: str, reports: Sequence[PortReport], mark: tuple[int, int]) -> set[str]:
    """Apply what a host saw of its ports; returns the devices whose wiring it changed.

    ``mark`` is the report's session and counter: ports of which a newer one was applied are left as they are.
    A deleted port that was seen absent, for the generation that deletes it, is erased: its addresses are free.
    """
    by_id = {report.id: report for report in reports}
    for some in chunks(by_id):
        hold(tx, ports, ports.c.id.in_(some))
    rows = gathered(by_id, lambda some: tx.execute(
        select(ports.c.id, ports.c.device_id, ports.c.desired, ports.c.generation, ports.c.observed,
               ports.c.observed_generation, ports.c.fault).where(
            ports.c.id.in_(some), ports.c.host == host, not_newer(ports, mark))).all())
    gone = [row.id for row in rows if row.desired == PortDesired.DELETED.value
            and by_id[row.id].observed is WiringState.ABSENT and by_id[row.id].generation >= row.generation]
    news = [row for row in rows if row.id not in set(gone) and _seen(by_id[row.id]) != (
        row.observed, row.observed_generation, row.fault)]
    names = ("id", "observed", "observed_generation", "fault", *MARKS)
    update_many(tx, ports, "id", [dict(zip(names, (row.id, *_seen(by_id[row.id]), *mark), strict=True))
                                  for row in rows if row.id not in set(gone)])
    _erase(tx, gone)
    if gone:
        networks.sweep(tx)
    return {row.device_id for row in news if row.device_id}


def _seen(report: PortReport) -> tuple[str, int, Any]:
    return report.observed.value, report.generation, wire.dump(report.fault) if report.fault else None


def _leave(tx: Transaction, many: Sequence[Port]) -> None:
    """What refers to ports that leave their host: public addresses, groups, and the host itself."""
    addresses.part(tx, [port.id for port in many])
    for port in many:
        tx.stamp(port.host, kinds.PORT, [port.id])
    groups.members_changed(tx, {group.id for port in many if port.host for group in port.groups})


def _watched(tx: Transaction, many: Sequence[Port]) -> AbstractContextManager[None]:
    return overlays.watched(tx, {port.network_id for port in many}, {port.host for port in many if port.host})


def _bind(tx: Transaction, host_of_port: Mapping[str, str], **values: Any) -> None:
    """Set the hosts of ports: a new generation, of which nothing has been seen yet."""
    update_many(tx, ports, "id", [
        {"id": id, "host": host, "generation": 1, "observed": WiringState.UNKNOWN.value, "fault": None,
         "updated_at": tx.now, **dict.fromkeys(MARKS, 0), **values}
        for id, host in sorted(host_of_port.items())], frozenset({"generation"}))


def _erase(tx: Transaction, ids: Sequence[str]) -> None:
    for some in chunks(ids):
        for table, column in ((port_addresses, port_addresses.c.port_id), (port_groups, port_groups.c.port_id),
                              (ports, ports.c.id)):
            tx.execute(delete(table).where(column.in_(some)))
        stamps.forget(tx, kinds.PORT, some)


def _records(tx: Transaction, *conditions: Any) -> list[Port]:
    """Complete ports in three statements."""
    rows = tx.execute(select(*_COLUMNS).where(*conditions)).all()
    if not rows:
        return []
    fixed = _fixed_ips(tx, conditions)
    names: dict[str, list[GroupName]] = {}
    # Few groups have many ports: one record for each.
    named: dict[str, GroupName] = {}
    chosen = (select(port_groups.c.port_id, security_groups.c.id, security_groups.c.name)
              .join(security_groups, security_groups.c.id == port_groups.c.group_id)
              .join(ports, ports.c.id == port_groups.c.port_id).where(*conditions).order_by(port_groups.c.position))
    for port_id, id, name in tx.execute(chosen):
        group = named.get(id) or named.setdefault(id, GroupName(id=id, name=name))
        names.setdefault(port_id, []).append(group)
    return [_record(row, fixed.get(row.id, []), names.get(row.id, [])) for row in rows]


def _fixed_ips(tx: Transaction, conditions: Sequence[Any]) -> dict[str, list[FixedIP]]:
    leads = ((floating_ips.c.port_id == port_addresses.c.port_id)
             & (floating_ips.c.fixed_ip == port_addresses.c.address))
    chosen = (select(port_addresses.c.port_id, port_addresses.c.subnet_id, port_addresses.c.address,
                     floating_ips.c.address, floating_ips.c.id)
              .join(ports, ports.c.id == port_addresses.c.port_id).outerjoin(floating_ips, leads)
              .where(*conditions).order_by(port_addresses.c.position))
    found: dict[str, list[FixedIP]] = {}
    for port_id, subnet_id, address, floating, floating_id in tx.execute(chosen):
        found.setdefault(port_id, []).append(FixedIP(
            subnet_id=subnet_id, address=address, floating_ip=floating or "", floating_ip_id=floating_id or ""))
    return found


def _record(row: Row[Any], fixed_ips: Sequence[FixedIP], names: Sequence[GroupName]) -> Port:
    values: Sequence[Any] = row
    desired, observed, fault = values[:3]
    return Port(fixed_ips=tuple(fixed_ips), groups=tuple(names), desired=PortDesired(desired),
                observed=WiringState(observed), fault=wire.load(Fault, fault) if fault else None,
                **dict(zip(_PLAIN, values[3:], strict=True)))
