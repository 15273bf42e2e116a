"""Quotas: a row per project that is locked first, limits from it, usage counted in the same transaction."""

from attrs import asdict, fields
from sqlalchemy import insert, select, update

from stackd import errors
from stackd.model.quotas import UNLIMITED, QuotaSet
from stackd.store.database import Transaction
from stackd.store.tables.cloud import quotas

_NAMES = frozenset(attribute.name for attribute in fields(QuotaSet))


def create(tx: Transaction, project_id: str, limits: QuotaSet) -> None:
    """The row of a new project."""
    tx.execute(insert(quotas).values(project_id=project_id, limits=asdict(limits)))


def limits_of(tx: Transaction, project_id: str) -> QuotaSet:
    """The limits of a project, without locking."""
    return _limits(tx.execute(select(quotas.c.limits).where(quotas.c.project_id == project_id)).scalar())


def lock(tx: Transaction, project_id: str) -> QuotaSet:
    """The limits of a project, its row locked: until commit nobody else counts for it. The first lock of all."""
    locked = select(quotas.c.limits).where(quotas.c.project_id == project_id).with_for_update()
    limits = tx.execute(locked).scalar()
    if limits is None:
        create(tx, project_id, QuotaSet())
    return _limits(limits)


def change(tx: Transaction, project_id: str, limits: QuotaSet) -> None:
    """Set all limits of a project."""
    lock(tx, project_id)
    tx.execute(update(quotas).where(quotas.c.project_id == project_id).values(limits=asdict(limits)))


def demand(resource: str, limit: int, used: int, requested: int) -> None:
    """Raise ``QuotaExceeded`` when ``requested`` more of ``resource`` would pass the limit."""
    if limit != UNLIMITED and requested > 0 and used + requested > limit:
        raise errors.QuotaExceeded(resource, limit, used, requested)


def _limits(stored: dict[str, int] | None) -> QuotaSet:
    return QuotaSet(**{name: value for name, value in (stored or {}).items() if name in _NAMES})
