"""Placements in SQL: which instances need a host, the claim that gives them one, the fault when none ever fits.

A claim is one transaction for many rows: the instances are locked in order of id, then the hosts in order of name,
then everything is checked again. Losing a race is an ordinary outcome, told per reservation.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Row, select

from stackd.model import kinds
from stackd.model.faults import Fault, FaultCode
from stackd.model.hosts import Host
from stackd.model.instances import Instance, InstanceDesired, OnLaunchFault
from stackd.model.scheduling import PlacementRequest
from stackd.rules.ownership import SCHEDULER
from stackd.store import events, hosts, instances, networks, ports
from stackd.store.database import Transaction
from stackd.store.tables.instances import instances as table

_PENDING = select(
    table.c.id, table.c.generation, table.c.reservation_id, table.c.launch_index, table.c.min_count, table.c.created_at,
    table.c.vcpus, table.c.memory_mib, table.c.disk_gib, table.c.zone_wanted, table.c.host_wanted, table.c.project_id,
    table.c.image, table.c.flavor,
).where(table.c.unplaced.is_(True)).order_by(table.c.reservation_id, table.c.launch_index)


@frozen(kw_only=True)
class Pending:
    """An instance that needs a host; ``together`` is how many of its reservation are placed at once or not at all."""

    id: str
    generation: int
    reservation_id: str
    launch_index: int
    together: int
    created_at: float
    waited: float
    """Seconds by the database's clock, when it was read."""
    request: PlacementRequest

    @property
    def extra(self) -> bool:
        """Whether it is beyond what goes together: it goes alone, but never before these."""
        return self.launch_index >= self.together


@frozen(kw_only=True)
class Choice:
    """A host chosen for a pending instance, to be claimed."""

    pending: Pending
    host: str


@frozen
class Claimed:
    """What became of choices, by ids of their instances.

    ``overtaken`` are those that another scheduler has or had, or that changed. What is neither lost its host.
    """

    won: frozenset[str]
    overtaken: frozenset[str] = frozenset()


def pending(tx: Transaction, limit: int, start: str = "") -> tuple[Pending, ...]:
    """Instances that need a host, in order of their reservations from ``start`` on and around.

    At least ``limit`` where there are as many, for reservations are whole. Schedulers that begin at different ones do
    not meet while much is to be done.
    """
    chosen = _PENDING.limit(limit)
    rows = list(tx.execute(chosen.where(table.c.reservation_id >= start)))
    if start and len(rows) < limit:
        rows += tx.execute(chosen.where(table.c.reservation_id < start)).all()
    if len(rows) >= limit:
        cut = rows[-1].reservation_id
        rows = [row for row in rows if row.reservation_id != cut]
        rows += tx.execute(_PENDING.where(table.c.reservation_id == cut)).all()
    physical = networks.physical_of_devices(tx, [row.id for row in rows])
    return tuple(_pending(row, tx.now, physical.get(row.id, ())) for row in rows)


def _pending(row: Row[Any], now: float, physical_networks: tuple[str, ...]) -> Pending:
    return Pending(id=row.id, generation=row.generation, reservation_id=row.reservation_id,
                   launch_index=row.launch_index, together=row.min_count, created_at=row.created_at,
                   waited=now - row.created_at,
                   request=PlacementRequest(
                       vcpus=row.vcpus, memory_mib=row.memory_mib, disk_gib=row.disk_gib, zone=row.zone_wanted,
                       host=row.host_wanted, project_id=row.project_id,
                       image_properties=instances.image_of(row.image).properties,
                       extra_specs=instances.flavor_of(row.flavor).extra_specs,
                       physical_networks=physical_networks))


def claim(tx: Transaction, choices: Sequence[Choice], host_gone: float) -> Claimed:
    """Give instances their hosts.

    A choice whose instance changed, or whose host no longer fits, is enabled or is alive, loses; with it the others
    of its reservation that must go together, and every extra as long as one of these has no host.
    """
    found = instances.unlocked(tx, [choice.pending.id for choice in choices])
    wanted = {choice.pending.id for choice in choices
              if choice.pending.id in found and _still_wanted(found[choice.pending.id], choice)}
    room = hosts.locked(tx, [choice.host for choice in choices if choice.pending.id in wanted], host_gone)
    won: list[tuple[Instance, Host]] = []
    for group in _minimums(choices):
        won.extend(_place_group(group, found, room))
    extras = [choice for choice in choices if choice.pending.extra]
    held_back = _without_minimum(tx, extras, {instance.id for instance, _ in won})
    for choice in extras:
        if choice.pending.reservation_id not in held_back:
            won.extend(_place_group([choice], found, room))
    _write(tx, won)
    return Claimed(frozenset(instance.id for instance, _ in won),
                   frozenset(choice.pending.id for choice in choices) - wanted)


def _minimums(choices: Sequence[Choice]) -> list[list[Choice]]:
    """Choices that win or lose together: the first ``together`` of each reservation."""
    groups: dict[str, list[Choice]] = {}
    for choice in choices:
        if not choice.pending.extra:
            groups.setdefault(choice.pending.reservation_id, []).append(choice)
    return list(groups.values())


def _without_minimum(tx: Transaction, extras: Sequence[Choice], won: Set[str]) -> frozenset[str]:
    """Reservations of these extras whose minimum still waits, apart from what has just ``won``.

    The rows are asked, for another batch or another scheduler may have the minimum.
    """
    if not extras:
        return frozenset()
    first = max(choice.pending.together for choice in extras)
    waiting = tx.execute(select(table.c.id, table.c.reservation_id).where(
        table.c.unplaced.is_(True), table.c.reservation_id.in_({one.pending.reservation_id for one in extras}),
        table.c.launch_index < first,  # says nothing new, but keeps the look into the index short
        table.c.launch_index < table.c.min_count))
    return frozenset(row.reservation_id for row in waiting if row.id not in won)


def _place_group(group: list[Choice], found: Mapping[str, Instance],
                 room: dict[str, Host]) -> list[tuple[Instance, Host]]:
    tried = dict(room)
    placed = []
    for choice in group:
        instance, host = found.get(choice.pending.id), tried.get(choice.host)
        if instance is None or host is None or not _still_wanted(instance, choice) or not fits(instance, host):
            return []
        host = evolve(host, used_vcpus=host.used_vcpus + instance.flavor.vcpus,
                      used_memory_mib=host.used_memory_mib + instance.flavor.memory_mib,
                      used_disk_gib=host.used_disk_gib + instance.flavor.disk_gib, instances=host.instances + 1)
        tried[choice.host] = host
        placed.append((instance, host))
    room.update(tried)
    return placed


def _still_wanted(instance: Instance, choice: Choice) -> bool:
    return not instance.host and instance.generation == choice.pending.generation and instance.fault is None \
        and instance.desired is not InstanceDesired.DELETED


def fits(instance: Instance, host: Host) -> bool:
    """Whether the host takes placements and has room."""
    flavor = instance.flavor
    return (host.enabled and host.alive and host.used_vcpus + flavor.vcpus <= host.vcpus
            and host.used_memory_mib + flavor.memory_mib <= host.memory_mib
            and host.used_disk_gib + flavor.disk_gib <= host.disk_gib)


def _write(tx: Transaction, won: list[tuple[Instance, Host]]) -> None:
    if not won:
        return
    placed = [evolve(instance, host=host.name, zone=host.zone, placement_epoch=instance.generation, updated_at=tx.now)
              for instance, host in won]
    instances.save_all(tx, [(instance, False) for instance in placed])
    for instance in placed:
        flavor = instance.flavor
        tx.use(instance.host, (flavor.vcpus, flavor.memory_mib, flavor.disk_gib, 1))
        tx.stamp(instance.host, kinds.INSTANCE, [instance.id])
    ports.place(tx, {instance.id: instance.host for instance in placed})
    events.record_all(tx, [_event(tx, instance, "placed", after={"host": instance.host}) for instance in placed])


def fail(tx: Transaction, lost: Sequence[tuple[Pending, str]]) -> frozenset[str]:
    """These found no host before their deadline: give them the fault, guarded like a claim; the ids that got it.

    The text is for the user. A launch that asked for it is ended with its fault.
    """
    found = instances.of_ids(tx, [one.id for one, _ in lost], lock=True)
    failed = []
    for one, message in lost:
        instance = found.get(one.id)
        if instance is None or not _still_wanted(instance, Choice(pending=one, host="")):
            continue
        fault = Fault(code=FaultCode.NO_CAPACITY, generation=instance.generation, message=message, at=tx.now)
        instance = evolve(instance, fault=fault, updated_at=tx.now)
        if instance.on_launch_fault is OnLaunchFault.TERMINATE:
            instance = evolve(instance, desired=InstanceDesired.DELETED, ended_at=tx.now)
        failed.append(instance)
    instances.save_all(tx, [(instance, False) for instance in failed])
    ports.release(tx, [instance.id for instance in failed if instance.ended_at is not None])
    events.record_all(tx, [_event(tx, instance, "fault", reason=instance.fault.message if instance.fault else "")
                           for instance in failed])
    return frozenset(instance.id for instance in failed)


def _event(tx: Transaction, instance: Instance, action: str, reason: str = "",
           after: Mapping[str, str] | None = None) -> dict[str, Any]:
    return events.row(tx.now, kinds.INSTANCE, instance.id, instance.project_id, action, SCHEDULER,
                      instance.request_id, instance.generation, reason, after=after)
