"""What a host is told: the rows stamped for one of its workers above the version it knows, in pages.

Of an image it is told the properties that workers and drivers read, for users write what they like into the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import and_, bindparam, or_, select

from stackd.model import kinds
from stackd.model.assignments import Assignments, FetchRequest, InstanceAssignment, Version
from stackd.model.hosts import COMPUTE
from stackd.model.instances import Instance
from stackd.store import addresses, instances, networks, ports, stamps, wirings
from stackd.store.chunks import gathered
from stackd.store.database import Transaction
from stackd.store.tables.cloud import assignments
from stackd.store.tables.cloud import hosts as hosts_table

TOLD_PROPERTIES = frozenset({"architecture", "os_command_line"})
"""Properties of images that guests are made with, or shown."""


@frozen
class _Page:
    """Which rows one answer has: kind -> ids, up to a version of the host, and ``within`` the next up to a row."""

    until: int
    within: str
    newest: int
    full: bool
    ids: Mapping[str, Sequence[str]]


def _chosen(worker: str) -> Any:
    """The stamps of a host for one of its workers, oldest first; built once, for building costs more than running."""
    a = assignments.c
    mine = or_(*(a.kind == kind for kind in stamps.kinds_of(worker)))
    rest = or_(a.version - 1 > bindparam("known"), a.kind > bindparam("kind"),
               and_(a.kind == bindparam("kind"), a.resource_id > bindparam("id")))
    return select(a.kind, a.resource_id, a.version).where(
        a.host == bindparam("host"), mine, a.version > bindparam("known"), a.version <= bindparam("until"), rest
    ).order_by(a.version, a.kind, a.resource_id)


_CHOSEN = {worker: _chosen(worker) for worker in ("compute", "network")}
_FIRST = {worker: statement.limit(bindparam("most")) for worker, statement in _CHOSEN.items()}


def fetch(tx: Transaction, request: FetchRequest, incarnation: str) -> Assignments:
    """One page for one worker."""
    return fetch_all(tx, [request], incarnation)[0]


def fetch_all(tx: Transaction, requests: Sequence[FetchRequest], incarnation: str) -> list[Assignments]:
    """One page for each of many workers: what they ask for is read together, in one snapshot.

    The versions of the hosts are read before the rows.
    """
    versions = dict(gathered((request.host for request in requests), lambda some: tx.execute(
        select(hosts_table.c.name, hosts_table.c.version).where(hosts_table.c.name.in_(some))).all()))
    # Most are heartbeats of hosts of which nothing has changed.
    changed = [request for request in requests if request.held or request.known.incarnation != incarnation
               or request.known.number < versions.get(request.host, 0)]
    answers = iter(_answers(tx, changed, versions, incarnation) if changed else ())
    asked = set(map(id, changed))
    return [next(answers) if id(request) in asked else Assignments(version=request.known) for request in requests]


def _answers(tx: Transaction, requests: Sequence[FetchRequest], versions: Mapping[str, int],
             incarnation: str) -> list[Assignments]:
    pages = [_page(tx, request, versions.get(request.host, 0), incarnation) for request in requests]
    told = [_answer(tx, request, page, incarnation) for request, page in zip(requests, pages, strict=True)]
    computed = _instances_for(tx, [page.ids.get(kinds.INSTANCE, ()) for page in pages])
    ported = wirings.ports_for(tx, [(request.host, page.ids.get(kinds.PORT, ()))
                                    for request, page in zip(requests, pages, strict=True)])
    floated = [wirings.floating_assignments(tx, request.host, page.ids.get(kinds.FLOATING_IP, ()))
               for request, page in zip(requests, pages, strict=True)]
    grouped = wirings.groups_for(tx, [page.ids.get(kinds.SECURITY_GROUP, ()) for page in pages])
    return [evolve(each, instances=instances, ports=ports, floating_ips=floating_ips, groups=groups)
            for each, instances, ports, floating_ips, groups
            in zip(told, computed, ported, floated, grouped, strict=True)]


def _answer(tx: Transaction, request: FetchRequest, page: _Page, incarnation: str) -> Assignments:
    """The answer to one request, still without rows."""
    moved, unknown = strangers(tx, request)
    return Assignments(version=Version(incarnation=incarnation, number=page.until, within=page.within),
                       full=page.full, more=page.until < page.newest, moved=moved, unknown=unknown)


def _page(tx: Transaction, request: FetchRequest, newest: int, incarnation: str) -> _Page:
    """A page that ends inside a version says where, or the next fetch would miss the rest of it."""
    full = request.known.incarnation != incarnation
    known = Version() if full else request.known
    until, within = newest, ""
    if known.number >= newest:
        return _Page(until, within, newest, full, {})
    last_kind, _, last_id = known.within.partition(" ")
    span = {"host": request.host, "known": known.number, "until": newest, "kind": last_kind, "id": last_id}
    rows = list(tx.execute(_FIRST[request.worker], span | {"most": request.most + 1}))
    if len(rows) > request.most:
        (kind, id, until), following = rows[request.most - 1], rows.pop()
        if until == following.version and request.splits:
            until, within = until - 1, f"{kind} {id}"
        elif until == following.version:
            rows = list(tx.execute(_CHOSEN[request.worker], span | {"until": until}))
    found: dict[str, list[str]] = {}
    for kind, id, _ in rows:
        found.setdefault(kind, []).append(id)
    return _Page(until, within, newest, full, found)


def _instances_for(tx: Transaction, asked: Sequence[Sequence[str]]) -> list[tuple[InstanceAssignment, ...]]:
    """The instances each asks for; those that are gone are left out."""
    found = instances.of_ids(tx, [id for ids in asked for id in ids])
    held = ports.of_devices(tx, list(found))
    mtu_of = {id: network.mtu for id, network in networks.of_ids(
        tx, {port.network_id for many in held.values() for port in many}).items()}
    return [tuple(InstanceAssignment(
        instance=_told(found[id]), ports=held.get(id, ()),
        mtus={port.network_id: mtu_of[port.network_id] for port in held.get(id, ())})
        for id in ids if id in found) for ids in asked]


def _told(instance: Instance) -> Instance:
    properties = instance.image.properties
    if properties.keys() <= TOLD_PROPERTIES:
        return instance
    return evolve(instance, image=evolve(instance.image, properties={
        name: value for name, value in properties.items() if name in TOLD_PROPERTIES}))


def assignment_of(tx: Transaction, id: str) -> InstanceAssignment | None:
    """An instance that has not ended as its host is told of it, for the cloud's own metadata port."""
    return next((one for one in _instances_for(tx, [[id]])[0] if one.instance.ended_at is None), None)


def strangers(tx: Transaction, request: FetchRequest) -> tuple[dict[str, int], tuple[str, ...]]:
    """Guests a compute worker holds that are not its own: MOVED (id -> epoch elsewhere) and UNKNOWN."""
    if not request.held or request.worker != "compute":
        return {}, ()
    found = instances.of_ids(tx, request.held)
    moved = {id: instance.placement_epoch for id, instance in found.items() if instance.host != request.host}
    return moved, tuple(sorted(set(request.held) - set(found)))


def wrongly_held(tx: Transaction, request: FetchRequest) -> None:
    """What this worker holds and should not by its row, but was not told of, or has forgotten: it is told once more.

    Guests whose rows say DELETED; ports and floating addresses that are another host's, as after a restored backup.
    """
    host, held = request.host, request.held or ()
    if request.worker == COMPUTE:
        found: Iterable[Instance] = instances.of_ids(tx, held).values()
        tx.stamp(host, kinds.INSTANCE, [one.id for one in found if one.host == host and one.ended_at is not None])
    else:
        tx.stamp(host, kinds.PORT, [one.id for one in ports.of_ids(tx, held) if one.host != host])
        tx.stamp(host, kinds.FLOATING_IP, [
            one.id for one in addresses.of_ids(tx, held) if host not in (one.host, one.holder)])
