"""Flavors in SQL: rows to records, and the few statements on them. ``core.flavors`` calls it; launches read by id."""

from collections.abc import Iterable
from typing import Any

from attrs import asdict, fields
from sqlalchemy import ColumnElement, Row, delete, insert, or_, select, true

from stackd.model.flavors import Flavor
from stackd.store.database import Transaction
from stackd.store.tables.flavors import flavors

_NAMES = tuple(attribute.name for attribute in fields(Flavor))
_COLUMNS = tuple(flavors.c[name] for name in _NAMES)


def all_flavors(tx: Transaction, public_only: bool) -> tuple[Flavor, ...]:
    """Every flavor, smallest first by memory, CPUs and name."""
    query = select(*_COLUMNS).order_by(flavors.c.memory_mib, flavors.c.vcpus, flavors.c.name)
    return tuple(map(_flavor, tx.execute(query.where(flavors.c.public == true()) if public_only else query)))


def by_id(tx: Transaction, id: str) -> Flavor | None:
    """One flavor."""
    return _one(tx, flavors.c.id == id)


def by_name(tx: Transaction, name: str) -> Flavor | None:
    """One flavor by its EC2 instance type."""
    return _one(tx, flavors.c.name == name)


def clash(tx: Transaction, id: str, name: str) -> Flavor | None:
    """A flavor that has this id or this name already."""
    return _one(tx, or_(flavors.c.id == id, flavors.c.name == name))


def add(tx: Transaction, new: Iterable[Flavor]) -> None:
    """Insert flavors; ``created_at`` is the transaction's time."""
    rows = [{**asdict(flavor), "created_at": tx.now, "updated_at": tx.now} for flavor in new]
    if rows:
        tx.execute(insert(flavors), rows)


def remove(tx: Transaction, id: str) -> bool:
    """Delete one; whether it was there. Instances keep the copy they were launched with."""
    return tx.execute(delete(flavors).where(flavors.c.id == id)).rowcount == 1


def _one(tx: Transaction, condition: ColumnElement[bool]) -> Flavor | None:
    row = tx.execute(select(*_COLUMNS).where(condition).limit(1)).first()
    return None if row is None else _flavor(row)


def _flavor(row: Row[Any]) -> Flavor:
    return Flavor(**dict(zip(_NAMES, row, strict=True)))
