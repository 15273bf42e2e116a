"""Floating addresses in SQL, and their hand-over from host to host.

``holder`` is the host that answers for the address, or may: it is set when a host is first told to, and leaves only
when that host reports, for the row's present generation, that it withdrew. Only then is the next host told.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import fields
from sqlalchemy import Row, Select, bindparam, delete, func, insert, or_, select, update

from stackd import errors
from stackd.model import kinds
from stackd.model.addresses import FloatingIP
from stackd.model.assignments import FloatingReport
from stackd.model.networks import WiringState
from stackd.rules import addressing
from stackd.store import stamps, subnets
from stackd.store.chunks import chunks, gathered
from stackd.store.database import Transaction
from stackd.store.holding import hold
from stackd.store.many import update_many
from stackd.store.marks import not_newer
from stackd.store.tables.base import MARKS
from stackd.store.tables.networks import floating_ips, ports

_NAMES = tuple(attribute.name for attribute in fields(FloatingIP) if attribute.name != "instance_id")
WITHDRAWING = or_(floating_ips.c.deleted, floating_ips.c.holder != floating_ips.c.host)
"""Their holders are to say that they withdrew."""
_UPDATED = ("port_id", "fixed_ip", "host", "holder", "deleted", "generation", "observed", "observed_generation")


def find(tx: Transaction, project_id: str | None, ids: Sequence[str] | None = None,
         addresses: Sequence[str] | None = None, port_ids: Sequence[str] | None = None) -> tuple[FloatingIP, ...]:
    """Addresses not released, newest first; ``project_id`` None for those of every project."""
    conditions: list[Any] = [floating_ips.c.deleted.is_(False)]
    for column, values in ((floating_ips.c.id, ids), (floating_ips.c.address, addresses),
                           (floating_ips.c.port_id, port_ids)):
        if values is not None:
            conditions.append(column.in_(values))
    if project_id is not None:
        conditions.append(floating_ips.c.project_id == project_id)
    return tuple(_records(tx, *conditions))


def get(tx: Transaction, id: str) -> FloatingIP:
    """One address that is not released, whoever asks; held when it is to be changed."""
    hold(tx, floating_ips, floating_ips.c.id == id)
    found = find(tx, None, ids=(id,))
    if not found:
        raise errors.NotFound(kinds.FLOATING_IP, id)
    return found[0]


def of_ids(tx: Transaction, ids: Iterable[str]) -> list[FloatingIP]:
    """Addresses by id, released ones that a host still holds included."""
    return gathered(ids, lambda some: _records(tx, floating_ips.c.id.in_(some)))


def allocate(tx: Transaction, floating: FloatingIP, address: str | None) -> FloatingIP:
    """Insert with the address asked for, or a free one of the network; raises ``AddressInUse``, ``NoMoreAddresses``."""
    candidates = [(subnet, cursor) for subnet, cursor in
                  subnets.locked_of_networks(tx, [floating.network_id]).get(floating.network_id, [])
                  if subnet.ip_version == 4]
    subnet_id, number = _claim(tx, candidates, address)
    row = {name: getattr(floating, name) for name in _NAMES} | {
        "subnet_id": subnet_id, "number": number, "address": addressing.text(number),
        "observed": floating.observed.value}
    tx.execute(insert(floating_ips), [row])
    return get(tx, floating.id)


def describe(tx: Transaction, id: str, description: str) -> None:
    """Set the description."""
    tx.execute(update(floating_ips).where(floating_ips.c.id == id).values(description=description, updated_at=tx.now))


def lead(tx: Transaction, floating: FloatingIP, port_id: str, fixed_ip: str, host: str) -> None:
    """Lead an address to a port on a host, or to nothing where ``port_id`` is empty."""
    _turn(tx, [floating], {floating.id: host}, port_id=port_id, fixed_ip=fixed_ip)
    device = tx.execute(select(ports.c.device_id).where(ports.c.id == port_id)).scalar() if port_id else None
    # Guests read their public address from their host's metadata service.
    for where, instance_id in ((host, device), (floating.host, floating.instance_id)):
        if instance_id:
            tx.stamp(where, kinds.INSTANCE, [instance_id])


def follow(tx: Transaction, host_of_port: Mapping[str, str]) -> None:
    """The ports were placed: their addresses go with them."""
    found = _of_ports(tx, host_of_port)
    _turn(tx, found, {floating.id: host_of_port[floating.port_id] for floating in found})


def part(tx: Transaction, port_ids: Iterable[str]) -> tuple[FloatingIP, ...]:
    """The ports are going: their addresses lead to nothing. Returns the addresses as they were."""
    found = _of_ports(tx, port_ids)
    _turn(tx, found, {}, port_id="", fixed_ip="")
    return tuple(found)


def release(tx: Transaction, floating: FloatingIP) -> None:
    """The user gives an address back: the row goes when no host holds it any more."""
    if not floating.holder:
        _remove(tx, [floating.id])
        return
    _turn(tx, [floating], {}, port_id="", fixed_ip="", deleted=True)


def observed(tx: Transaction, host: str, reports: Sequence[FloatingReport], mark: tuple[int, int]) -> None:
    """Apply what a host saw of its addresses; hand withdrawn ones to the host that waits for them.

    ``mark`` is the report's session and counter: addresses of which a newer one was applied are left as they are.
    """
    by_id = {report.id: report for report in reports}
    ended: list[str] = []
    rows: list[dict[str, Any]] = []
    marked: list[dict[str, Any]] = []
    for some in chunks(by_id):
        hold(tx, floating_ips, floating_ips.c.id.in_(some))
    for floating in gathered(by_id, lambda some: _records(
            tx, floating_ips.c.id.in_(some), floating_ips.c.holder == host, not_newer(floating_ips, mark))):
        report = by_id[floating.id]
        values: dict[str, Any] = {"observed": report.observed.value, "observed_generation": report.generation}
        withdrawn = report.observed is WiringState.ABSENT and report.generation >= floating.generation
        if withdrawn and floating.deleted:
            ended.append(floating.id)
            continue
        if withdrawn and floating.host != host:
            values["holder"] = floating.host
            tx.stamp(floating.host, kinds.FLOATING_IP, [floating.id])
        rows.append(_row(floating) | values)
        # The next holder's worker counts from its own beginning.
        marked.append({"id": floating.id, **dict(zip(MARKS, (0, 0) if "holder" in values else mark, strict=True))})
    _save(tx, rows)
    update_many(tx, floating_ips, "id", marked)
    _remove(tx, ended)


def overdue(before: float, hosts: Select[str]) -> Select[str, str]:
    """(holder, id) of addresses of which these hosts have not said since then that they withdrew, as a statement."""
    f = floating_ips.c
    return select(f.holder, f.id).where(WITHDRAWING, f.updated_at < before, f.holder.in_(hosts)).order_by(f.id)


def count(tx: Transaction, project_id: str) -> int:
    """How many addresses a project holds."""
    return int(tx.execute(select(func.count()).where(
        floating_ips.c.project_id == project_id, floating_ips.c.deleted.is_(False))).scalar_one())


def _claim(tx: Transaction, candidates: Sequence[tuple[Any, int]], address: str | None) -> tuple[str, int]:
    if address is not None:
        wanted = addressing.number(address, "floating_ip_address")
        subnet = next((one for one, _ in candidates if addressing.in_pools(one.pools, address)), None)
        if subnet is None:
            raise errors.InvalidValue("floating_ip_address", f"{address} is in no pool of the external network.")
        if tx.execute(select(floating_ips.c.id).where(floating_ips.c.subnet_id == subnet.id,
                                                      floating_ips.c.number == wanted)).scalar() is not None:
            raise errors.AddressInUse(f"The address {address} is in use.")
        return subnet.id, wanted
    for subnet, cursor in candidates:
        for number in subnets.pick(tx, subnet, cursor, 1, floating_ips):
            subnets.move_cursors(tx, {subnet.id: number})
            return subnet.id, number
    raise errors.NoMoreAddresses("The external network has no free address left.")


def _turn(tx: Transaction, many: Sequence[FloatingIP], host_of: Mapping[str, str], **values: Any) -> None:
    """Give each address its new host and other values, a new generation, and stamp all hosts concerned."""
    rows = []
    for floating in many:
        host = host_of.get(floating.id, "")
        holder = floating.holder or host
        rows.append(_row(floating) | values | {"host": host, "holder": holder, "generation": floating.generation + 1})
        for concerned in {floating.host, holder, host}:
            tx.stamp(concerned, kinds.FLOATING_IP, [floating.id])
    _save(tx, rows)


def _of_ports(tx: Transaction, port_ids: Iterable[str]) -> list[FloatingIP]:
    many = list(port_ids)
    for some in chunks(many):
        hold(tx, floating_ips, floating_ips.c.port_id.in_(some))
    return gathered(many, lambda some: _records(tx, floating_ips.c.port_id.in_(some)))


def _row(floating: FloatingIP) -> dict[str, Any]:
    return {"key": floating.id} | {name: getattr(floating, name) for name in _UPDATED} | {
        "observed": floating.observed.value}


def _save(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        tx.execute(update(floating_ips).where(floating_ips.c.id == bindparam("key")).values(
            updated_at=tx.now, **{name: bindparam(name) for name in _UPDATED}), rows)


def _remove(tx: Transaction, ids: Sequence[str]) -> None:
    if ids:
        tx.execute(delete(floating_ips).where(floating_ips.c.id.in_(ids)))
        stamps.forget(tx, kinds.FLOATING_IP, ids)


def _records(tx: Transaction, *conditions: Any) -> list[FloatingIP]:
    statement = select(floating_ips, ports.c.device_id).outerjoin(ports, ports.c.id == floating_ips.c.port_id)
    return [_record(row) for row in tx.execute(
        statement.where(*conditions).order_by(floating_ips.c.created_at.desc(), floating_ips.c.id))]


def _record(row: Row[Any]) -> FloatingIP:
    values = {name: getattr(row, name) for name in _NAMES}
    return FloatingIP(instance_id=row.device_id or "", **values | {"observed": WiringState(row.observed)})
