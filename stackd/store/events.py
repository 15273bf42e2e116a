"""Events, written in the transaction that makes the change they tell of."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from stackd.model.events import Event
from stackd.model.ids import new_id
from stackd.store.database import Transaction
from stackd.store.many import insert_many
from stackd.store.tables.cloud import events

_COLUMNS = ("id", "at", "kind", "resource_id", "project_id", "action", "actor", "request_id", "generation",
            "reason", "before", "after")


def row(now: float, kind: str, resource_id: str, project_id: str, action: str, actor: str, request_id: str,
        generation: int = 0, reason: str = "", before: Mapping[str, str] | None = None,
        after: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One event as a row for :func:`record_all`; ``actor`` is a user id or a daemon's name."""
    return dict(zip(_COLUMNS, (new_id(), now, kind, resource_id, project_id, action, actor, request_id, generation,
                               reason, before or {}, after or {}), strict=True))


def record_all(tx: Transaction, rows: Iterable[dict[str, Any]]) -> None:
    """Write many events in one statement; the first proves that the transaction was committed."""
    many = list(rows)
    if many:
        tx.mark = tx.mark or many[0]["id"]
        insert_many(tx, events, many)


def record(tx: Transaction, kind: str, resource_id: str, project_id: str, action: str, actor: str,
           request_id: str, generation: int = 0, reason: str = "", before: Mapping[str, str] | None = None,
           after: Mapping[str, str] | None = None) -> None:
    """Write one event."""
    record_all(tx, [row(tx.now, kind, resource_id, project_id, action, actor, request_id, generation, reason,
                        before, after)])


def of_resource(tx: Transaction, resource_id: str, limit: int = 1000) -> tuple[Event, ...]:
    """The history of a resource, newest first."""
    found = tx.execute(select(events).where(events.c.resource_id == resource_id)
                       .order_by(events.c.number.desc()).limit(limit))
    return tuple(Event(**{name: getattr(row, name) for name in _COLUMNS}) for row in found)
