"""Key pairs in SQL: rows to records, and the few statements. ``core.keypairs`` calls it; launches read by name."""

from typing import Any

from attrs import asdict, fields
from sqlalchemy import Row, delete, func, insert, select

from stackd.model.keypairs import KeyPair, KeyType
from stackd.store.database import Transaction
from stackd.store.tables.keypairs import keypairs

_NAMES = tuple(attribute.name for attribute in fields(KeyPair))
_COLUMNS = tuple(keypairs.c[name] for name in _NAMES)


def of_user(tx: Transaction, user_id: str) -> tuple[KeyPair, ...]:
    """All of a user, by name."""
    return tuple(map(_keypair, tx.execute(
        select(*_COLUMNS).where(keypairs.c.user_id == user_id).order_by(keypairs.c.name))))


def by_name(tx: Transaction, user_id: str, name: str) -> KeyPair | None:
    """One of a user."""
    row = tx.execute(select(*_COLUMNS).where(keypairs.c.user_id == user_id, keypairs.c.name == name)).first()
    return None if row is None else _keypair(row)


def count(tx: Transaction, user_id: str) -> int:
    """How many a user has; the quota's count."""
    return tx.execute(select(func.count()).where(keypairs.c.user_id == user_id)).scalar_one()  # type: ignore[no-any-return]


def add(tx: Transaction, keypair: KeyPair) -> None:
    """Insert one."""
    tx.execute(insert(keypairs).values(**{**asdict(keypair), "type": keypair.type.value, "updated_at": tx.now}))


def remove(tx: Transaction, user_id: str, name: str) -> KeyPair | None:
    """Delete one and return what it was; None when there was none."""
    found = by_name(tx, user_id, name)
    if found is not None:
        tx.execute(delete(keypairs).where(keypairs.c.id == found.id))
    return found


def remove_all(tx: Transaction, user_id: str) -> None:
    """Delete all of a user who is deleted."""
    tx.execute(delete(keypairs).where(keypairs.c.user_id == user_id))


def _keypair(row: Row[Any]) -> KeyPair:
    values = dict(zip(_NAMES, row, strict=True))
    return KeyPair(**{**values, "type": KeyType(values["type"])})
