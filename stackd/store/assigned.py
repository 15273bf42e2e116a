"""What a host is told: the rows stamped for one of its workers above the version it knows, in pages."""

from collections.abc import Iterable

from attrs import evolve
from sqlalchemy import select

from stackd.model import kinds
from stackd.model.assignments import Assignments, FetchRequest, InstanceAssignment, Version
from stackd.model.instances import Instance
from stackd.store import instances, networks, ports, stamps, wirings
from stackd.store.database import Transaction
from stackd.store.tables.cloud import assignments
from stackd.store.tables.cloud import hosts as hosts_table

PAGE = 500


def fetch(tx: Transaction, request: FetchRequest, incarnation: str) -> Assignments:
    """One page for one worker. The host's version is read before the rows, in the same snapshot."""
    full = request.known.incarnation != incarnation
    known = 0 if full else request.known.number
    newest = tx.execute(select(hosts_table.c.version).where(hosts_table.c.name == request.host)).scalar() or 0
    until = _end_of_page(tx, request, known, newest)
    ids = _stamped(tx, request, known, until) if until > known else {}
    moved, unknown = strangers(tx, request)
    answer = Assignments(version=Version(incarnation=incarnation, number=until), full=full, more=until < newest,
                         moved=moved, unknown=unknown)
    if request.worker == "compute":
        return evolve(answer, instances=_instances(tx, ids.get(kinds.INSTANCE, [])))
    return evolve(answer, ports=wirings.port_assignments(tx, request.host, ids.get(kinds.PORT, [])),
                  floating_ips=wirings.floating_assignments(tx, request.host, ids.get(kinds.FLOATING_IP, [])),
                  groups=wirings.group_wirings(tx, ids.get(kinds.SECURITY_GROUP, [])))


def _end_of_page(tx: Transaction, request: FetchRequest, known: int, newest: int) -> int:
    """The version a page ends with: whole versions only, or the next fetch would miss the rest of one."""
    a = assignments.c
    last = tx.execute(select(a.version).where(
        a.host == request.host, a.kind.in_(stamps.kinds_of(request.worker)), a.version > known
    ).order_by(a.version).offset(PAGE - 1).limit(1)).scalar()
    return newest if last is None else int(last)


def _stamped(tx: Transaction, request: FetchRequest, known: int, until: int) -> dict[str, list[str]]:
    a = assignments.c
    found: dict[str, list[str]] = {}
    for kind, id in tx.execute(select(a.kind, a.resource_id).where(
            a.host == request.host, a.kind.in_(stamps.kinds_of(request.worker)),
            a.version > known, a.version <= until)):
        found.setdefault(kind, []).append(id)
    return found


def _instances(tx: Transaction, ids: list[str]) -> tuple[InstanceAssignment, ...]:
    found = instances.of_ids(tx, ids)
    held = ports.of_devices(tx, list(found))
    found_networks = networks.of_ids(tx, {port.network_id for many in held.values() for port in many})
    return tuple(InstanceAssignment(
        instance=instance, ports=held.get(id, ()),
        mtus={port.network_id: found_networks[port.network_id].mtu for port in held.get(id, ())})
        for id, instance in found.items())


def assignment_of(tx: Transaction, id: str) -> InstanceAssignment | None:
    """An instance that has not ended as its host is told of it, for the cloud's own metadata port."""
    return next((one for one in _instances(tx, [id]) if one.instance.ended_at is None), None)


def strangers(tx: Transaction, request: FetchRequest) -> tuple[dict[str, int], tuple[str, ...]]:
    """Guests a compute worker holds that are not its own: MOVED (id -> epoch elsewhere) and UNKNOWN."""
    if not request.held or request.worker != "compute":
        return {}, ()
    found = instances.of_ids(tx, request.held)
    moved = {id: instance.placement_epoch for id, instance in found.items() if instance.host != request.host}
    return moved, tuple(sorted(set(request.held) - set(found)))


def deleted_but_held(tx: Transaction, request: FetchRequest) -> None:
    """Guests of this host whose rows say DELETED and were forgotten: it is told of them once more."""
    found: Iterable[Instance] = instances.of_ids(tx, request.held or ()).values()
    gone = [instance.id for instance in found if instance.host == request.host and instance.ended_at is not None]
    tx.stamp(request.host, kinds.INSTANCE, gone)
