"""Reports applied in SQL: what hosts observed, many reports in one transaction, idempotently.

(session, counter) is compared per row: what is older than the newest applied is dropped, and so is the word of a
host about a row it does not own.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import and_, not_, or_, select

from stackd.model import kinds
from stackd.model.assignments import InstanceReport, Report
from stackd.model.hosts import COMPUTE, NETWORK, WORKERS
from stackd.model.instances import Instance, InstanceDesired
from stackd.rules import ownership, phases
from stackd.rules.reports import Applied, applied, owned_by, seen_gone, unwirable
from stackd.store import addresses, events, instances, ports, stamps
from stackd.store.chunks import chunks, gathered
from stackd.store.database import Transaction
from stackd.store.holding import hold
from stackd.store.tables.cloud import assignments, contacts
from stackd.store.tables.instances import HOLDING, client_tokens, user_data
from stackd.store.tables.instances import instances as instances_table
from stackd.store.tables.networks import ports as ports_table

TOKENS_KEPT = 86_400.0
"""Seconds that a launch's client token is remembered beyond ended instances."""
OVERDUE = 600.0
"""Seconds after which a host is asked again what became of what it should remove."""
SECOND_LOOK = 60.0
"""Seconds between the two looks that find nothing before a host need not care for an ended instance any more."""


def apply_all(tx: Transaction, reports: Sequence[Report], second_look: float = SECOND_LOOK) -> None:
    """Apply a batch of reports of any workers, in the order given."""
    _hold_instances(tx, reports)
    _wirings(tx, reports)
    said = [(report, one) for report in reports for one in report.instances]
    if said:
        _instances(tx, said, second_look)


def _hold_instances(tx: Transaction, reports: Sequence[Report]) -> None:
    """All that any of it is about, before anything: who needs an instance and its ports takes the instance first."""
    told = {one.id for report in reports for one in report.ports}
    devices = gathered(told, lambda some: tx.execute(
        select(ports_table.c.device_id).where(ports_table.c.id.in_(some))).scalars())
    for some in chunks({*filter(None, devices), *(one.id for report in reports for one in report.instances)}):
        hold(tx, instances_table, instances_table.c.id.in_(some))


def _wirings(tx: Transaction, reports: Sequence[Report]) -> None:
    changed: set[str] = set()
    for report in reports:
        mark = (report.session, report.counter)
        if report.ports:
            changed |= ports.observed(tx, report.host, report.ports, mark)
        if report.floating_ips:
            addresses.observed(tx, report.host, report.floating_ips, mark)
    if changed:
        _rewrite_phases(tx, sorted(changed))


def _rewrite_phases(tx: Transaction, ids: Sequence[str]) -> None:
    """Ports of these instances changed: their phase may have, and their hosts must look."""
    found = instances.of_ids(tx, ids, lock=True)
    held = ports.of_devices(tx, list(found))
    outcomes = [unwirable(one, held.get(one.id, ()), tx.now) for one in found.values()]
    instances.save_all(tx, [(one.instance, phases.all_wired(held.get(one.instance.id, ()))) for one in outcomes])
    for one in found.values():
        tx.stamp(one.host, kinds.INSTANCE, [one.id])
    events.record_all(tx, [_event(tx, one) for one in outcomes if one.action])


def _instances(tx: Transaction, said: Sequence[tuple[Report, InstanceReport]], second_look: float) -> None:
    found = instances.of_ids(tx, [one.id for _, one in said], lock=True)
    marks = instances.marks_of(tx, list(found))
    outcomes: dict[str, list[Applied]] = {}
    new_marks: dict[str, tuple[int, int]] = {}
    for report, one in said:
        instance = found.get(one.id)
        if instance is None or not owned_by(instance, report.host, one):
            continue
        mark = (report.session, report.counter)
        if mark <= new_marks.get(one.id, marks[one.id]):
            continue
        outcome = applied(instance, one, tx.now)
        new_marks[one.id] = mark
        found[one.id] = outcome.instance
        outcomes.setdefault(one.id, []).append(outcome)
        _forget_after_second_look(tx, instance, one, second_look)
    instances.save_all(tx, [(found[id], True) for id in outcomes])
    instances.mark_reported(tx, [(id, *mark) for id, mark in new_marks.items()])
    _follow_up(tx, [one for many in outcomes.values() for one in many])


def _forget_after_second_look(tx: Transaction, instance: Instance, one: InstanceReport, second_look: float) -> None:
    if not seen_gone(instance, one.observed) or instance.ended_at is None:
        return
    # By the host's clock and by ours: one that goes ahead would make the first look the second.
    if min(one.observed.at, tx.now) - instance.ended_at >= second_look:
        stamps.forget(tx, kinds.INSTANCE, [instance.id])


def _follow_up(tx: Transaction, outcomes: Sequence[Applied]) -> None:
    ended = [one.instance for one in outcomes if one.gone]
    if ended:
        ports.release(tx, [instance.id for instance in ended])
        _free(tx, ended)
        # Room was freed: those who wait for a host may get one now.
        tx.wake(ownership.SCHEDULER)
    for one in outcomes:
        if one.restamp:
            tx.stamp(one.instance.host, kinds.INSTANCE, [one.instance.id])
    events.record_all(tx, [_event(tx, one) for one in outcomes if one.action])


def _free(tx: Transaction, ended: Iterable[Instance]) -> None:
    for instance in ended:
        flavor = instance.flavor
        tx.use(instance.host, (-flavor.vcpus, -flavor.memory_mib, -flavor.disk_gib, -1))


def _event(tx: Transaction, one: Applied) -> dict[str, Any]:
    instance = one.instance
    return events.row(tx.now, kinds.INSTANCE, instance.id, instance.project_id, one.action,
                      ownership.compute(instance.host), instance.request_id, instance.generation, one.reason,
                      after={"state": instance.observed.state.value})


def end_on_lost_hosts(tx: Transaction, host_gone: float) -> int:
    """Deleted instances whose hosts are gone end for user and quota; how many.

    Capacity, ports and addresses stay reserved until the host comes back and confirms.
    """
    seen = select(contacts.c.host).where(contacts.c.worker == "compute", contacts.c.last_seen >= tx.now - host_gone)
    c = instances_table.c
    ids = tx.execute(select(c.id).where(
        c.desired == InstanceDesired.DELETED.value, c.ended_at.is_(None), c.host != "", c.host.not_in(seen)
    ).order_by(c.id).limit(500)).scalars().all()
    lost = [evolve(one, ended_at=tx.now, updated_at=tx.now) for one in instances.of_ids(tx, ids, lock=True).values()
            if one.ended_at is None]
    instances.save_all(tx, [(one, True) for one in lost])
    events.record_all(tx, [events.row(
        tx.now, kinds.INSTANCE, one.id, one.project_id, "ended", ownership.CONDUCTOR, one.request_id, one.generation,
        "Its host is gone; what it held stays reserved until the host confirms.") for one in lost])
    return len(lost)


def purge(tx: Transaction, keep_ended: float, limit: int = 500) -> int:
    """Delete instances that ended so many seconds ago and no host needs to hear of, and old client tokens; how many.

    Hosts that need to hear of one for so long are asked again.
    """
    before = tx.now - keep_ended
    tx.execute(client_tokens.delete().where(client_tokens.c.created_at < before - TOKENS_KEPT))
    table = instances_table
    waiting = select(assignments.c.resource_id).where(assignments.c.kind == kinds.INSTANCE)
    ids = [row[0] for row in tx.execute(select(table.c.id).where(
        table.c.ended_at < before, table.c.desired == InstanceDesired.DELETED.value, table.c.id.not_in(waiting),
        not_(HOLDING)).order_by(table.c.id).limit(limit))]
    if ids:
        tx.execute(user_data.delete().where(user_data.c.instance_id.in_(ids)))
        tx.execute(table.delete().where(table.c.id.in_(ids)))
    _ask_again(tx, before, limit)
    return len(ids)


def _ask_again(tx: Transaction, before: float, limit: int) -> None:
    """Hosts look once more at what ought to be gone for long, for their last words on it were lost or came too late."""
    c, told, overdue = instances_table.c, assignments.c, tx.now - OVERDUE
    alive = {worker: select(contacts.c.host).where(
        contacts.c.worker == worker, contacts.c.last_seen >= tx.now - SECOND_LOOK) for worker in WORKERS}
    going = and_(c.desired == InstanceDesired.DELETED.value, c.ended_at.is_(None), c.updated_at < overdue)
    instances_overdue = select(c.host, c.id).join(
        assignments, (told.host == c.host) & (told.kind == kinds.INSTANCE) & (told.resource_id == c.id)).where(
        or_(c.ended_at < before, going), c.host.in_(alive[COMPUTE])).order_by(c.id)
    for kind, chosen in ((kinds.INSTANCE, instances_overdue),
                         (kinds.PORT, ports.overdue(overdue, alive[NETWORK])),
                         (kinds.FLOATING_IP, addresses.overdue(overdue, alive[NETWORK]))):
        for host, id in tx.execute(chosen.limit(limit)).all():
            tx.stamp(host, kind, [id], lazily=True)
