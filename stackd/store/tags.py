"""Tags in SQL; ``core.tags`` calls it."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import and_, delete, insert, select

from stackd.model.tags import Tag
from stackd.store.chunks import chunks, gathered
from stackd.store.database import Transaction
from stackd.store.tables.tags import tags

_FIELDS = ("resource_id", "kind", "project_id", "key", "value")


def of_project(tx: Transaction, project_id: str, kind: str | None = None,
               resource_ids: Iterable[str] | None = None) -> tuple[Tag, ...]:
    """A project's tags, sorted by resource and key; None means no condition."""
    found = select(tags).where(tags.c.project_id == project_id)
    if kind is not None:
        found = found.where(tags.c.kind == kind)
    if resource_ids is None:
        rows = list(tx.execute(found))
    else:
        rows = gathered(resource_ids, lambda some: tx.execute(found.where(tags.c.resource_id.in_(some))))
    return tuple(sorted((Tag(**{name: getattr(row, name) for name in _FIELDS}) for row in rows),
                        key=lambda tag: (tag.resource_id, tag.key)))


def put(tx: Transaction, project_id: str, resources: Sequence[tuple[str, str]], entries: Mapping[str, str]) -> None:
    """Set ``entries`` on each (kind, id); the value of a tag that is there is replaced."""
    if not resources or not entries:
        return
    for some in chunks(id for _, id in resources):
        tx.execute(delete(tags).where(tags.c.project_id == project_id, tags.c.resource_id.in_(some),
                                      tags.c.key.in_(list(entries))))
    tx.execute(insert(tags), [{"resource_id": id, "project_id": project_id, "kind": kind, "key": key, "value": value}
                              for kind, id in dict.fromkeys(resources) for key, value in entries.items()])


def remove(tx: Transaction, project_id: str, resource_id: str, wanted: Mapping[str, str | None] | None) -> None:
    """Remove the tags of one resource with these keys, and these values where not None; all when ``wanted`` is."""
    mine = and_(tags.c.resource_id == resource_id, tags.c.project_id == project_id)
    if wanted is None:
        tx.execute(delete(tags).where(mine))
    for key, value in (wanted or {}).items():
        which = and_(mine, tags.c.key == key)
        tx.execute(delete(tags).where(which if value is None else and_(which, tags.c.value == value)))

