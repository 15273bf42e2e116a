"""Hosts in SQL: capacity, what is claimed of it, and when their workers were last heard of."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

import orjson
from sqlalchemy import Row, Text, func, insert, or_, select, type_coerce, update

from stackd import errors
from stackd.model import kinds, wire
from stackd.model.assignments import Hello
from stackd.model.hosts import COMPUTE, NETWORK, WORKERS, Host, HostCapacity, WorkerContact
from stackd.model.ids import new_id
from stackd.store import overlays
from stackd.store.chunks import chunks, gathered
from stackd.store.database import Transaction
from stackd.store.many import insert_many, insert_missing
from stackd.store.tables.base import Json
from stackd.store.tables.cloud import cloud, contacts, hosts
from stackd.store.tables.instances import HOLDING, instances

INCARNATION = "incarnation"
_EMPTY: dict[str, Any] = {"capacity": wire.dump(HostCapacity(vcpus=0, memory_mib=0, disk_gib=0)), "vcpus": 0,
                          "memory_mib": 0, "disk_gib": 0, "tunnel_address": "", "physical_networks": None}
_PROMISED = ("vcpus", "memory_mib", "disk_gib")
_CONTACTS = {worker: contacts.alias(f"{worker}_contacts") for worker in WORKERS}

_COUNTED = {"used_vcpus": func.sum(instances.c.vcpus), "used_memory_mib": func.sum(instances.c.memory_mib),
            "used_disk_gib": func.sum(instances.c.disk_gib), "instances": func.count()}
_CLAIMED = select(instances.c.host, *(counted.label(name) for name, counted in _COUNTED.items())).where(
    HOLDING).group_by(instances.c.host).subquery()
_MISCOUNTED = select(hosts.c.name, *(func.coalesce(_CLAIMED.c[name], 0).label(f"counted_{name}") for name in _COUNTED)
                     ).outerjoin(_CLAIMED, _CLAIMED.c.host == hosts.c.name).where(
    or_(*(hosts.c[name] != func.coalesce(_CLAIMED.c[name], 0) for name in _COUNTED)))


def incarnation(tx: Transaction) -> str:
    """The incarnation of this cloud's database, made when first asked for in a writing transaction."""
    value = tx.execute(select(cloud.c.value).where(cloud.c.name == INCARNATION)).scalar()
    if value is None:
        value = new_id()
        tx.execute(insert(cloud).values(name=INCARNATION, value=value))
    return str(value)


def renew_incarnation(tx: Transaction) -> None:
    """The database was put back to an earlier state: every host must fetch everything anew."""
    tx.execute(cloud.delete().where(cloud.c.name == INCARNATION))
    incarnation(tx)


def hello(tx: Transaction, said: Hello, ratios: Mapping[str, float]) -> int:
    """A worker has started: keep what it says of its host, raise and return its session."""
    return hello_all(tx, [said], ratios)[0]


def hello_all(tx: Transaction, said: Sequence[Hello], ratios: Mapping[str, float]) -> list[int]:
    """Many workers have started, each of them a session; they are written together, for a whole cloud may start.

    ``ratios`` are the over-commitments for ``vcpus``, ``memory_mib`` and ``disk_gib`` (1.0: none).
    """
    first = {(one.host, one.worker): one for one in reversed(said)}
    _keep_hosts(tx, list(first.values()), ratios)
    sessions = _begin_sessions(tx, first)
    # Who says it twice at once gets two sessions.
    again = [one for one in said if first[one.host, one.worker] is not one]
    more = iter(hello_all(tx, again, ratios) if again else ())
    return [sessions[one.host, one.worker] if first[one.host, one.worker] is one else next(more) for one in said]


def _keep_hosts(tx: Transaction, said: Sequence[Hello], ratios: Mapping[str, float]) -> None:
    """What is new of known hosts, and all of new ones."""
    def read(names: Iterable[str]) -> dict[str, Row[Any]]:
        return {row.name: row for row in gathered(names, lambda some: tx.execute(
            select(hosts).where(hosts.c.name.in_(some))).all())}

    rows = read(one.host for one in said)
    new: dict[str, dict[str, Any]] = {}
    for one in said:
        if one.host not in rows:
            new.setdefault(one.host, {"id": new_id(), "name": one.host, **_EMPTY, "zone": one.zone}).update(
                _said(one, ratios))
    # The other worker of a host may be saying hello to another conductor.
    insert_missing(tx, hosts, sorted(new.values(), key=lambda row: str(row["name"])))
    rows |= read(new)
    for one in sorted(said, key=lambda one: (one.host, one.worker)):
        row = rows.get(one.host)
        if row is not None and (news := {name: value for name, value in _said(one, ratios).items()
                                         if getattr(row, name) != value}):
            tx.execute(update(hosts).where(hosts.c.name == one.host).values(**news))
            if "tunnel_address" in news:
                overlays.moved(tx, one.host)


def _said(one: Hello, ratios: Mapping[str, float]) -> dict[str, Any]:
    """Columns of a host that a worker speaks of."""
    found: dict[str, Any] = {}
    if one.capacity is not None:
        found = {"zone": one.zone, "capacity": wire.dump(one.capacity),
                 **{name: int(getattr(one.capacity, name) * ratios.get(name, 1.0)) for name in _PROMISED}}
    if one.worker == NETWORK:
        _demand_address(one.tunnel_address)
        found |= {"tunnel_address": one.tunnel_address, "physical_networks": list(one.physical_networks) or None}
    return found


def _demand_address(address: str) -> None:
    # It is handed on to other hosts, which would wire nothing of their networks with one that is none.
    try:
        IPv4Address(address or "0.0.0.0")  # noqa: S104 - nothing is bound
    except ValueError:
        raise errors.InvalidValue("tunnel_address", f"{address!r} is no IPv4 address") from None


def _begin_sessions(tx: Transaction, said: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Raise the session of each (host, worker), held meanwhile: no two get the same one."""
    found: dict[tuple[str, str], int] = {}
    for worker in sorted({worker for _, worker in said}):
        names = [host for host, who in said if who == worker]
        known = _held_sessions(tx, worker, names)
        for some in chunks(known):
            tx.execute(update(contacts).where(contacts.c.worker == worker, contacts.c.host.in_(some))
                       .values(session=contacts.c.session + 1, last_seen=tx.now))
        # Whoever inserts the same row meanwhile makes one of us begin again.
        insert_many(tx, contacts, [{"host": host, "worker": worker, "session": 1, "last_seen": tx.now}
                                   for host in sorted(set(names) - known.keys())])
        found |= {(host, worker): known.get(host, 0) + 1 for host in names}
    return found


def _held_sessions(tx: Transaction, worker: str, names: Sequence[str]) -> dict[str, int]:
    return dict(gathered(names, lambda some: tx.execute(
        select(contacts.c.host, contacts.c.session).where(contacts.c.worker == worker, contacts.c.host.in_(some))
        .order_by(contacts.c.host).with_for_update()).all()))


def seen(tx: Transaction, fetched: Iterable[tuple[str, str]]) -> None:
    """These (host, worker) pairs were heard of just now."""
    of_worker: dict[str, list[str]] = {}
    for host, worker in fetched:
        of_worker.setdefault(worker, []).append(host)
    for worker, names in of_worker.items():
        for some in chunks(names):
            tx.execute(update(contacts).where(contacts.c.worker == worker, contacts.c.host.in_(some))
                       .values(last_seen=tx.now))


_LISTED = select(hosts, *(known.c.last_seen.label(f"{worker}_seen") for worker, known in _CONTACTS.items()))
for _worker, _known in _CONTACTS.items():
    _LISTED = _LISTED.outerjoin(_known, (_known.c.host == hosts.c.name) & (_known.c.worker == _worker))
# Values as they are stored: to parse them costs more than to read them.
_STANDING = _LISTED.with_only_columns(
    hosts.c.name, *(type_coerce(column, Text) if isinstance(column.type, Json) else column
                    for column in hosts.c if column.name not in ("name", "version")),
    *(known.c.last_seen for known in _CONTACTS.values()))


def listed(tx: Transaction, host_gone: float) -> tuple[Host, ...]:
    """All hosts by name; workers not heard of within ``host_gone`` seconds are silent."""
    return tuple(_records(tx, host_gone, _LISTED.order_by(hosts.c.name)))


def of_names(tx: Transaction, names: Iterable[str], host_gone: float) -> list[Host]:
    """These hosts, as :func:`listed` has them; unknown ones are left out."""
    return gathered(names, lambda some: _records(tx, host_gone, _LISTED.where(hosts.c.name.in_(some))))


def _records(tx: Transaction, host_gone: float, chosen: Any) -> list[Host]:
    return [_record(row, tx.now, host_gone, {worker: getattr(row, f"{worker}_seen") or 0.0 for worker in WORKERS})
            for row in tx.execute(chosen)]


class Listing:
    """All hosts as read last: records of those that did not change since are used again, for a reader that asks often.

    Last contacts are not looked at, but for whether a worker is silent.
    """

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.read_at = 0.0
        """When it was read last, in epoch seconds of database time."""
        self._rows: dict[str, tuple[Any, ...]] = {}
        self._records: dict[str, Host] = {}

    def read(self, tx: Transaction, host_gone: float) -> dict[str, Host]:
        """Hosts by name, as :func:`listed` has them."""
        since = tx.now - host_gone
        self.read_at = tx.now
        rows = {row[0]: (*row[:-2], (row[-2] or 0.0) < since, (row[-1] or 0.0) < since)
                for row in tx.execute(_STANDING)}
        changed = [name for name, row in rows.items() if self._rows.get(name) != row]
        known = self._records | {host.name: host for host in of_names(tx, changed, host_gone)}
        self._rows, self._records = rows, {name: known[name] for name in rows}
        return dict(self._records)


def locked(tx: Transaction, names: Sequence[str], host_gone: float) -> dict[str, Host]:
    """Hosts by name, locked in order of name, as claims need them; what fits is in ``capacity`` less ``used_*``."""
    chosen = select(hosts).where(hosts.c.name.in_(sorted(set(names)))).order_by(hosts.c.name).with_for_update()
    rows = tx.execute(chosen).all()
    seen: dict[str, dict[str, float]] = {}
    for host, worker, last_seen in tx.execute(select(contacts.c.host, contacts.c.worker, contacts.c.last_seen).where(
            contacts.c.worker.in_(WORKERS), contacts.c.host.in_([row.name for row in rows]))):
        seen.setdefault(host, {})[worker] = last_seen
    return {row.name: _record(row, tx.now, host_gone, seen.get(row.name, {})) for row in rows}


def lost(tx: Transaction, host_gone: float) -> frozenset[str]:
    """The hosts whose compute worker was not heard of within ``host_gone`` seconds."""
    seen = _CONTACTS[COMPUTE].c
    return frozenset(tx.execute(select(hosts.c.name).outerjoin(
        _CONTACTS[COMPUTE], (seen.host == hosts.c.name) & (seen.worker == COMPUTE)).where(
        func.coalesce(seen.last_seen, 0.0) < tx.now - host_gone)).scalars())


def _record(row: Row[Any], now: float, host_gone: float, seen: Mapping[str, float]) -> Host:
    silent = tuple(worker for worker in WORKERS if now - seen.get(worker, 0.0) > host_gone)
    stored = row.capacity if isinstance(row.capacity, dict) else orjson.loads(row.capacity)
    return Host(
        id=row.id, name=row.name, zone=row.zone, enabled=row.enabled, disabled_reason=row.disabled_reason,
        capacity=wire.load(HostCapacity, stored), vcpus=row.vcpus, memory_mib=row.memory_mib, disk_gib=row.disk_gib,
        used_vcpus=row.used_vcpus, used_memory_mib=row.used_memory_mib, used_disk_gib=row.used_disk_gib,
        instances=row.instances, physical_networks=tuple(row.physical_networks or ()), last_seen=seen.get(COMPUTE, 0.0),
        silent=silent, silent_since=max((seen.get(worker, 0.0) for worker in silent), default=0.0))


def recount(tx: Transaction) -> tuple[str, ...]:
    """Count anew what is claimed of hosts, from their instances and under their locks; those that were wrong."""
    suspects = tx.execute(_MISCOUNTED).all()
    if not suspects:
        return ()
    names = [row.name for row in suspects]
    tx.execute(select(hosts.c.name).where(hosts.c.name.in_(names)).order_by(hosts.c.name).with_for_update())
    # Once more, for others may have claimed or freed between the reading of the one and of the other.
    wrong = [row for row in tx.execute(_MISCOUNTED) if row.name in names]
    for row in wrong:
        tx.execute(update(hosts).where(hosts.c.name == row.name).values(
            {name: getattr(row, f"counted_{name}") for name in _COUNTED}))
    return tuple(row.name for row in wrong)


def enable(tx: Transaction, name: str, enabled: bool, reason: str) -> None:
    """Let a host take placements, or no longer; raises ``NotFound``."""
    changed = tx.execute(update(hosts).where(hosts.c.name == name).values(
        enabled=enabled, disabled_reason="" if enabled else reason))
    if not changed.rowcount:
        raise errors.NotFound(kinds.HOST, name)


def contacts_of_all(tx: Transaction, host_gone: float) -> tuple[WorkerContact, ...]:
    """When each worker was last heard of, by host and worker."""
    return _contacts(tx, host_gone, select(contacts).order_by(contacts.c.host, contacts.c.worker))


def contacts_of(tx: Transaction, host: str, host_gone: float) -> tuple[WorkerContact, ...]:
    """When each worker of one host was last heard of."""
    return _contacts(tx, host_gone, select(contacts).where(contacts.c.host == host).order_by(contacts.c.worker))


def _contacts(tx: Transaction, host_gone: float, chosen: Any) -> tuple[WorkerContact, ...]:
    return tuple(WorkerContact(host=row.host, worker=row.worker, session=row.session, last_seen=row.last_seen,
                               alive=tx.now - row.last_seen <= host_gone) for row in tx.execute(chosen))
