"""Instances in SQL: rows to records and back, lists by key, guarded updates.

Core, the scheduler and the conductor call it inside their transactions.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from stackd import errors
from stackd.model import kinds, wire
from stackd.model.faults import Fault, Phase, Steady, Transition
from stackd.model.flavors import Flavor
from stackd.model.images import ImageSnapshot
from stackd.model.instances import (
    GuestState,
    Instance,
    InstanceDesired,
    InstanceQuery,
    InstanceView,
    ObservedInstance,
    OnLaunchFault,
    RebootKind,
)
from stackd.model.networks import Port
from stackd.model.paging import Page, PageRequest
from stackd.rules import phases
from stackd.store import ports, quotas
from stackd.store.database import Transaction
from stackd.store.many import insert_many, update_many
from stackd.store.tables.instances import client_tokens, instances, user_data

CHUNK = 500
_PLAIN = ("id", "project_id", "user_id", "name", "hostname", "reservation_id", "launch_index", "key_name",
          "public_key", "has_user_data", "config_drive", "zone_wanted", "zone", "host", "placement_epoch",
          "generation", "reboots", "locked", "lock_reason", "access_ipv4", "access_ipv6", "description", "created_at",
          "updated_at", "launched_at", "ended_at", "request_id")
_CHANGING = ("name", "description", "zone", "host", "placement_epoch", "generation", "reboots", "locked",
             "updated_at", "launched_at", "ended_at", "request_id")
_UNREAD = ("observed_session", "observed_counter", "short_id")
_COLUMNS = [column for column in instances.c if column.name not in _UNREAD]


# Flavors and images repeat over thousands of rows and records are immutable: parse each text once.
@lru_cache(maxsize=4096)
def flavor_of(text: str) -> Flavor:
    """A flavor as it is kept with an instance."""
    return wire.load(Flavor, orjson.loads(text))


@lru_cache(maxsize=4096)
def image_of(text: str) -> ImageSnapshot:
    """An image as it is kept with an instance."""
    return wire.load(ImageSnapshot, orjson.loads(text))


def record_of(row: Row[Any]) -> Instance:
    """The record of one row."""
    return Instance(
        id=row.id, project_id=row.project_id, user_id=row.user_id, name=row.name, hostname=row.hostname,
        reservation_id=row.reservation_id, launch_index=row.launch_index, flavor=flavor_of(row.flavor),
        image=image_of(row.image), key_name=row.key_name, public_key=row.public_key, metadata=row.metadata,
        has_user_data=row.has_user_data, config_drive=row.config_drive, zone_wanted=row.zone_wanted,
        zone=row.zone, host=row.host, placement_epoch=row.placement_epoch, desired=InstanceDesired(row.desired),
        generation=row.generation, reboots=row.reboots, reboot_kind=RebootKind(row.reboot_kind),
        on_launch_fault=OnLaunchFault(row.on_launch_fault),
        observed=ObservedInstance(state=GuestState(row.observed_state), generation=row.observed_generation,
                                  reboots=row.observed_reboots, at=row.observed_at),
        fault=wire.load(Fault, row.fault) if row.fault else None,
        phase=Phase(Steady(row.steady), Transition(row.transition), row.reason), locked=row.locked,
        lock_reason=row.lock_reason, labels=tuple(row.labels), access_ipv4=row.access_ipv4,
        access_ipv6=row.access_ipv6, description=row.description, created_at=row.created_at, updated_at=row.updated_at,
        launched_at=row.launched_at, ended_at=row.ended_at, request_id=row.request_id)


def insert_all(tx: Transaction, many: Sequence[Instance], min_count: int, host_wanted: str) -> None:
    """Insert the instances of one reservation in one statement."""
    insert_many(tx, instances, [{
        **{name: getattr(instance, name) for name in _PLAIN},
        **_state(instance, wired=False),
        "min_count": min_count, "host_wanted": host_wanted, "metadata": dict(instance.metadata),
        "labels": list(instance.labels),
        "flavor": orjson.dumps(wire.dump(instance.flavor)).decode(), "flavor_id": instance.flavor.id,
        "vcpus": instance.flavor.vcpus, "memory_mib": instance.flavor.memory_mib,
        "disk_gib": instance.flavor.disk_gib,
        "image": orjson.dumps(wire.dump(instance.image)).decode(), "image_id": instance.image.id,
        "observed_session": 0, "observed_counter": 0,
    } for instance in many])


def save_all(tx: Transaction, many: Iterable[tuple[Instance, bool]]) -> None:
    """Write the changing columns of instances read in this transaction; each with whether its ports are wired."""
    update_many(tx, instances, "id", [
        {"id": instance.id, **{name: getattr(instance, name) for name in _CHANGING}, **_state(instance, wired)}
        for instance, wired in many])


def _state(instance: Instance, wired: bool) -> dict[str, Any]:
    phase = phases.phase_of(instance, wired)
    return {
        "desired": instance.desired.value, "reboot_kind": instance.reboot_kind.value,
        "on_launch_fault": instance.on_launch_fault.value, "observed_state": instance.observed.state.value,
        "observed_generation": instance.observed.generation, "observed_reboots": instance.observed.reboots,
        "observed_at": instance.observed.at, "fault": wire.dump(instance.fault) if instance.fault else None,
        "steady": phase.steady.value, "transition": phase.transition.value, "reason": phase.reason,
        "unplaced": not instance.host and instance.fault is None and instance.ended_at is None
        and instance.desired is not InstanceDesired.DELETED,
    }


def mark_reported(tx: Transaction, marks: Sequence[tuple[str, int, int]]) -> None:
    """Remember (id, session, counter) of the newest report applied to each row."""
    update_many(tx, instances, "id", [
        {"id": id, "observed_session": session, "observed_counter": counter} for id, session, counter in marks])


def of_ids(tx: Transaction, ids: Sequence[str], lock: bool = False) -> dict[str, Instance]:
    """Instances by id, in order of id, locked when they are to be changed."""
    found: dict[str, Instance] = {}
    for chunk in _chunks(sorted(set(ids))):
        chosen = select(*_COLUMNS).where(instances.c.id.in_(chunk)).order_by(instances.c.id)
        found.update((row.id, record_of(row)) for row in tx.execute(chosen.with_for_update() if lock else chosen))
    return found


def unlocked(tx: Transaction, ids: Sequence[str]) -> dict[str, Instance]:
    """Instances by id, locked; those that somebody else has locked are left out."""
    chosen = select(*_COLUMNS).order_by(instances.c.id).with_for_update(skip_locked=True)
    return {row.id: record_of(row) for some in _chunks(sorted(set(ids)))
            for row in tx.execute(chosen.where(instances.c.id.in_(some)))}


def marks_of(tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(session, counter) of the newest report applied to each row."""
    found: dict[str, tuple[int, int]] = {}
    for chunk in _chunks(ids):
        chosen = select(instances.c.id, instances.c.observed_session, instances.c.observed_counter)
        found.update((id, (session, counter))
                     for id, session, counter in tx.execute(chosen.where(instances.c.id.in_(chunk))))
    return found


def owned(tx: Transaction, project_id: str | None, ids: Sequence[str]) -> dict[str, Instance]:
    """Instances of a project (None: of all), locked; raises ``NotFound`` for the first that is not to be seen."""
    found = of_ids(tx, ids, lock=True)
    for id in ids:
        if id not in found or project_id not in (None, found[id].project_id):
            raise errors.NotFound(kinds.INSTANCE, id)
    return found


def with_ports(tx: Transaction, many: Sequence[Instance]) -> tuple[InstanceView, ...]:
    """Views of instances with their ports, in the same order."""
    held = ports.of_devices(tx, [instance.id for instance in many])
    return tuple(_view(instance, held.get(instance.id, ())) for instance in many)


def _view(instance: Instance, held: tuple[Port, ...]) -> InstanceView:
    return InstanceView(instance=instance, ports=held, reason=instance.phase.reason if instance.phase else "")


def listed(tx: Transaction, query: InstanceQuery, project_id: str | None, page: PageRequest) -> Page[InstanceView]:
    """One page of instances, newest first, of one project or (None) of all."""
    chosen = _filtered(select(*_COLUMNS), query, project_id)
    key = (instances.c.created_at, instances.c.id)
    if page.marker is not None:
        chosen = chosen.where(_beyond(tx, page))
    order = [column.asc() if page.reverse else column.desc() for column in key]
    rows = tx.execute(chosen.order_by(*order).limit(page.limit + 1)).all()
    return Page(with_ports(tx, [record_of(row) for row in rows[:page.limit]]), len(rows) > page.limit)


def _beyond(tx: Transaction, page: PageRequest) -> Any:
    at = tx.execute(select(instances.c.created_at).where(instances.c.id == page.marker)).scalar()
    if at is None:
        raise errors.InvalidMarker(f"Marker {page.marker} could not be found.")
    created, id = instances.c.created_at, instances.c.id
    if page.reverse:
        return or_(created > at, and_(created == at, id > page.marker))
    return or_(created < at, and_(created == at, id < page.marker))


def _filtered(chosen: Select[Any], query: InstanceQuery, project_id: str | None) -> Select[Any]:
    column = instances.c
    if query.ended_since is None:
        chosen = chosen.where(column.ended_at.is_(None))
    else:
        chosen = chosen.where(or_(column.ended_at.is_(None), column.ended_at > query.ended_since))
    for values, of in ((query.ids, column.id), (query.reservation_ids, column.reservation_id),
                       (query.names, column.name), (query.steady, column.steady)):
        if values is not None:
            chosen = chosen.where(of.in_(values))
    for value, of in ((project_id, column.project_id), (query.host, column.host),
                      (query.flavor_id, column.flavor_id), (query.image_id, column.image_id)):
        if value is not None:
            chosen = chosen.where(of == value)
    for condition in (*_words_conditions(query), *_time_conditions(query)):
        chosen = chosen.where(condition)
    if query.name_pattern:
        chosen = chosen.where(column.name.icontains(query.name_pattern, autoescape=True))
    return chosen


def _time_conditions(query: InstanceQuery) -> Iterable[ColumnElement[bool]]:
    column = instances.c
    if query.changed_since is not None:
        yield column.updated_at >= query.changed_since
    if query.changed_before is not None:
        yield column.updated_at <= query.changed_before
    if query.phases is not None:
        yield tuple_(column.steady, column.transition).in_(query.phases)
    if query.reservation_within is not None:
        yield column.reservation_id.between(*query.reservation_within)


def _words_conditions(query: InstanceQuery) -> Iterable[ColumnElement[bool]]:
    column = instances.c
    if query.zone is not None:
        wanted = and_(column.zone == "", column.zone_wanted == query.zone)
        yield or_(column.zone == query.zone, wanted)
    for name in ("key_name", "user_id", "locked"):
        if (value := getattr(query, name)) is not None:
            yield column[name] == value
    if query.name_like is not None:
        yield column.name.like(query.name_like, escape="\\")
    if query.labels is not None:
        yield and_(*map(_labelled, query.labels))
    if query.labels_any is not None:
        yield or_(*map(_labelled, query.labels_any))
    if query.labels_not is not None:
        yield not_(and_(*map(_labelled, query.labels_not)))
    if query.labels_not_any is not None:
        yield not_(or_(*map(_labelled, query.labels_not_any)))


def _labelled(label: str) -> ColumnElement[bool]:
    # The column is the text of a JSON list.
    return type_coerce(instances.c.labels, Text).contains(orjson.dumps(label).decode(), autoescape=True)


def usage(tx: Transaction, project_id: str) -> tuple[int, int, int, int]:
    """How many instances, cores, MiB of memory and ports the project uses; ended ones no longer count."""
    counted = select(func.count(), func.coalesce(func.sum(instances.c.vcpus), 0),
                     func.coalesce(func.sum(instances.c.memory_mib), 0),
                     ports.counting(project_id).scalar_subquery()).where(
        instances.c.project_id == project_id, instances.c.ended_at.is_(None))
    used = tx.execute(counted).one()
    return int(used[0]), int(used[1]), int(used[2]), int(used[3])


def keep_user_data(tx: Transaction, ids: Sequence[str], content: bytes) -> None:
    """Keep the user data of new instances."""
    tx.execute(insert(user_data), [{"instance_id": id, "content": content} for id in ids])


def user_data_of(tx: Transaction, id: str) -> bytes:
    """The user data of an instance; empty when there is none."""
    return tx.execute(select(user_data.c.content).where(user_data.c.instance_id == id)).scalar() or b""


def reservation_of_token(tx: Transaction, project_id: str, token: str) -> tuple[str, str] | None:
    """(request hash, reservation id) of an earlier launch with this client token."""
    row = tx.execute(select(client_tokens.c.request_hash, client_tokens.c.reservation_id).where(
        client_tokens.c.project_id == project_id, client_tokens.c.token == token)).first()
    return (row[0], row[1]) if row else None


def keep_token(tx: Transaction, project_id: str, token: str, request_hash: str, reservation_id: str) -> None:
    """Remember the client token of a launch in its own transaction."""
    tx.execute(insert(client_tokens).values(project_id=project_id, token=token, request_hash=request_hash,
                                            reservation_id=reservation_id, created_at=tx.now))


def of_reservation(tx: Transaction, reservation_id: str) -> tuple[InstanceView, ...]:
    """The instances of a reservation in launch order."""
    rows = tx.execute(select(*_COLUMNS).where(instances.c.reservation_id == reservation_id)
                      .order_by(instances.c.launch_index))
    return with_ports(tx, [record_of(row) for row in rows])


def change_words(tx: Transaction, id: str, metadata: dict[str, str], **words: Any) -> None:
    """Replace an instance's metadata, and any other of its words where given; no generation is raised."""
    tx.execute(update(instances).where(instances.c.id == id).values(
        metadata=metadata, updated_at=tx.now, **words))


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start:start + CHUNK] for start in range(0, len(ids), CHUNK))


def demand_metadata_quota(tx: Transaction, project_id: str, metadata: dict[str, str]) -> None:
    """Raise ``QuotaExceeded`` when an instance would have more metadata than its project allows."""
    limit = quotas.limits_of(tx, project_id).metadata_items
    quotas.demand("metadata_items", limit, 0, len(metadata))
