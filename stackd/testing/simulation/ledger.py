"""What the database of a simulated cloud says, read beside the cloud: who is not active yet, how long it took, whether
anything was promised twice; and what the fake hosts say of their guests."""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, and_, func, or_, select

from stackd.model.faults import Steady
from stackd.store.tables.cloud import contacts, events, hosts
from stackd.store.tables.instances import instances

_THERE = instances.c.ended_at.is_(None)


class Ledger:
    """Questions to one database."""

    def __init__(self, engine: Engine) -> None:
        """Of the site."""
        self._engine = engine

    def unfinished(self) -> int:
        """How many instances are not ACTIVE."""
        return self._count(select(func.count()).where(_THERE, instances.c.steady != Steady.ACTIVE.value))

    def unplaced(self) -> int:
        """How many wait for a host."""
        return self._count(select(func.count()).where(instances.c.unplaced.is_(True)))

    def placed(self) -> int:
        """How many have a host."""
        return self._count(select(func.count()).where(_THERE, instances.c.host != ""))

    def faulted(self) -> int:
        """How many have a fault."""
        return self._count(select(func.count()).where(instances.c.fault.is_not(None)))

    def silent(self, since: float) -> int:
        """How many workers were not heard of since then."""
        return self._count(select(func.count()).where(contacts.c.last_seen < since))

    def to_active(self) -> list[float]:
        """How long each took from its row to ACTIVE."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(instances.c.launched_at - instances.c.created_at).where(
                instances.c.launched_at.is_not(None))).scalars()
            return [float(seconds) for seconds in rows]

    def placing(self, since: float) -> tuple[int, float]:
        """How many were placed since then, and the seconds from the first to the last."""
        with self._engine.connect() as connection:
            count, first, last = connection.execute(select(func.count(), func.min(events.c.at), func.max(
                events.c.at)).where(events.c.action == "placed", events.c.at >= since)).one()
            return int(count), float((last or 0.0) - (first or 0.0))

    def overcommitted(self) -> int:
        """How many hosts have more than they can carry, or count other than what their instances need."""
        held = (select(instances.c.host, func.sum(instances.c.vcpus).label("vcpus"),
                       func.sum(instances.c.memory_mib).label("memory_mib"), func.count().label("number"))
                .where(_THERE, instances.c.host != "").group_by(instances.c.host).subquery())
        wrong = or_(
            hosts.c.used_vcpus > hosts.c.vcpus, hosts.c.used_memory_mib > hosts.c.memory_mib,
            hosts.c.used_disk_gib > hosts.c.disk_gib,
            hosts.c.used_vcpus != func.coalesce(held.c.vcpus, 0),
            hosts.c.used_memory_mib != func.coalesce(held.c.memory_mib, 0),
            hosts.c.instances != func.coalesce(held.c.number, 0))
        return self._count(select(func.count()).select_from(
            hosts.outerjoin(held, held.c.host == hosts.c.name)).where(wrong))

    def doubled(self, folder: Path) -> int:
        """How many guests are on a host that is not their instance's, on several, or on none below ``folder``."""
        with self._engine.connect() as connection:
            host_of = dict(connection.execute(select(instances.c.id, instances.c.host).where(
                and_(_THERE, instances.c.steady == Steady.ACTIVE.value))).all())
        found = [(guest["id"], path.parent.name) for path in folder.rglob("fake/*/guests.json")
                 for guest in orjson.loads(path.read_bytes())["guests"]]
        counts = Counter(id for id, _ in found)
        astray = {id for id, host in found if id in host_of and host_of[id] != host}
        return len(astray | (host_of.keys() - counts.keys()) | {id for id, count in counts.items() if count > 1})

    def _count(self, chosen: Any) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(chosen).scalar_one())
