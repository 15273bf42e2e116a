"""What hosts would say that never say anything again: that all they were to remove is gone.

The operator declares a host dead by ``stackd host remove --force``. While it stays silent, and is not added again, the
conductor speaks in its place about what nobody wants there any more, round by round, so that room, ports and addresses
are given back as if the host had confirmed. What is wanted there still is left as it is, until its user deletes it.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from attrs import evolve
from sqlalchemy import or_, select

from stackd.model import kinds
from stackd.model.assignments import FloatingReport, InstanceReport, PortReport, Report
from stackd.model.hosts import COMPUTE, NETWORK, REMOVED
from stackd.model.instances import GuestState, Instance, InstanceDesired
from stackd.model.networks import WiringState
from stackd.rules import ownership
from stackd.store import events, instances, reported, stamps
from stackd.store.addresses import WITHDRAWING
from stackd.store.database import Transaction
from stackd.store.ports import DYING
from stackd.store.tables.cloud import assignments, contacts, hosts
from stackd.store.tables.instances import HOLDING
from stackd.store.tables.instances import instances as instances_table
from stackd.store.tables.networks import floating_ips, ports

AT_ONCE = 500
"""Rows of each kind in one round."""
WHY = "Its host was removed."
_LAST = (1 << 62, 0)
"""Session and counter later than any; no row keeps them, for ports go and addresses begin anew."""


def fence(tx: Transaction, host_gone: float) -> int:
    """Give back what is held by hosts that were removed and are silent for ``host_gone`` seconds; how many rows.

    Ports and addresses of instances that end now are found by the next round: what is stamped for a host in this
    transaction could not be forgotten in it.
    """
    dead = _dead(tx, host_gone)
    if not dead:
        return 0
    ended, dying, led_away = _ended(tx, dead), _dying_ports(tx, dead), _led_away(tx, dead)
    reported.apply_all(tx, [*_of_guests(tx, ended), *_of_wirings(dying, led_away)])
    stamps.forget(tx, kinds.INSTANCE, [one.id for one in ended])
    told = [(kinds.INSTANCE, ended), (kinds.PORT, dying), (kinds.FLOATING_IP, led_away)]
    events.record_all(tx, [events.row(tx.now, kind, one.id, one.project_id, "fenced", ownership.CONDUCTOR, "",
                                      one.generation, WHY) for kind, rows in told for one in rows])
    return sum(len(rows) for _, rows in told)


def _dead(tx: Transaction, host_gone: float) -> Sequence[str]:
    heard = select(contacts.c.host).where(contacts.c.last_seen >= tx.now - host_gone)
    return tx.execute(select(hosts.c.name).where(
        hosts.c.enabled.is_(False), hosts.c.disabled_reason == REMOVED, hosts.c.name.not_in(heard))).scalars().all()


def _ended(tx: Transaction, dead: Sequence[str]) -> list[Instance]:
    """Deleted instances that have room there, or are only waiting for the host's second look."""
    c = instances_table.c
    waiting = select(assignments.c.resource_id).where(
        assignments.c.host.in_(dead), assignments.c.kind == kinds.INSTANCE)
    ids = tx.execute(select(c.id).where(c.host.in_(dead), c.desired == InstanceDesired.DELETED.value,
                                        or_(HOLDING, c.id.in_(waiting))).order_by(c.id).limit(AT_ONCE)).scalars().all()
    return list(instances.of_ids(tx, ids, lock=True).values())


def _dying_ports(tx: Transaction, dead: Sequence[str]) -> Sequence[Any]:
    c = ports.c
    return tx.execute(select(c.id, c.host, c.project_id, c.generation).where(
        c.host.in_(dead), DYING).order_by(c.id).limit(AT_ONCE)).all()


def _led_away(tx: Transaction, dead: Sequence[str]) -> Sequence[Any]:
    """Addresses these hosts were to withdraw. Those of instances that are still wanted there stay."""
    c = floating_ips.c
    return tx.execute(select(c.id, c.holder.label("host"), c.project_id, c.generation).where(
        c.holder.in_(dead), WITHDRAWING).order_by(c.id).limit(AT_ONCE)).all()


def _of_guests(tx: Transaction, ended: Iterable[Instance]) -> list[Report]:
    """Each a moment after the newest that was applied, so that a worker that comes back all the same is heard."""
    by_id = {one.id: one for one in ended}
    marks = instances.marks_of(tx, list(by_id))
    return [Report(host=one.host, worker=COMPUTE, session=marks[id][0], counter=marks[id][1] + 1, instances=(
        InstanceReport(id=id, epoch=one.placement_epoch, observed=evolve(
            one.observed, state=GuestState.ABSENT, generation=one.generation, at=tx.now)),))
        for id, one in by_id.items()]


def _of_wirings(dying: Iterable[Any], led_away: Iterable[Any]) -> list[Report]:
    return [Report(
        host=host, worker=NETWORK, session=_LAST[0], counter=_LAST[1],
        ports=tuple(PortReport(id=row.id, observed=WiringState.ABSENT, generation=row.generation)
                    for row in dying if row.host == host),
        floating_ips=tuple(FloatingReport(id=row.id, observed=WiringState.ABSENT, generation=row.generation)
                           for row in led_away if row.host == host))
        for host in sorted({*map(attrgetter("host"), (*dying, *led_away))})]
