"""Many rows written by one statement, each in its own way: the store's batches call it.

PostgreSQL takes the values as arrays, so that the statement is the same however many rows there are, and neither side
reads it twice; the drivers of the others send row after row, or make one statement of them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    Insert,
    String,
    Table,
    TableValuedAlias,
    Update,
    bindparam,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from stackd.store.database import Transaction

Rows = Sequence[Mapping[str, Any]]
POSTGRESQL = "postgresql"


def insert_many(tx: Transaction, table: Table, rows: Rows) -> None:
    """Insert rows that all name the same columns."""
    if rows:
        _execute(tx, _insert(tx.dialect, table, tuple(rows[0])), rows)


def insert_missing(tx: Transaction, table: Table, rows: Rows) -> None:
    """Insert rows, but for those that somebody else has just inserted."""
    if rows:
        _execute(tx, _insert(tx.dialect, table, tuple(rows[0]), ignoring=True), rows)


def upsert_many(tx: Transaction, table: Table, rows: Rows, changing: str) -> None:
    """Insert rows, or set the column ``changing`` of those whose primary keys are there."""
    if rows:
        _execute(tx, _upsert(tx.dialect, table, tuple(rows[0]), changing), rows)


def update_many(tx: Transaction, table: Table, key: str, rows: Rows, added: frozenset[str] = frozenset()) -> None:
    """Set columns of the row with each ``key``; those in ``added`` are added to what stands there.

    The rows are changed in no particular order: who may meet others at them has locked them before.
    """
    if rows:
        _execute(tx, _update(tx.dialect == POSTGRESQL, table, key, tuple(rows[0]), added), rows)


def _execute(tx: Transaction, statement: Insert | Update, rows: Rows) -> None:
    if tx.dialect == POSTGRESQL:
        tx.execute(statement, {f"_{name}": [row[name] for row in rows] for name in rows[0]})
    else:
        tx.execute(statement, [{f"_{name}": value for name, value in row.items()} for row in rows])


def _arrays(table: Table, names: tuple[str, ...]) -> TableValuedAlias:
    given = func.unnest(*(bindparam(f"_{name}", type_=ARRAY(_uncut(table.c[name].type), dimensions=1))
                          for name in names))
    return given.table_valued(*(column(name, table.c[name].type) for name in names)).render_derived(name="news")


def _uncut(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type as parameters have it: a cast to one with a length cuts what is longer, where a column refuses it.

    Ids stay what they are, or their index would not be used.
    """
    return String() if type(kind) is String else kind


def _filled(made: Any, dialect: str, table: Table, names: tuple[str, ...]) -> Any:
    if dialect == POSTGRESQL:
        return made.from_select(names, select(*_arrays(table, names).c))
    return made.values({name: bindparam(f"_{name}", type_=table.c[name].type) for name in names})


@cache
def _insert(dialect: str, table: Table, names: tuple[str, ...], ignoring: bool = False) -> Insert:
    kind = postgresql if dialect == POSTGRESQL else sqlite
    made: Any = insert(table)
    if ignoring:
        made = insert(table).prefix_with("IGNORE") if dialect in ("mysql", "mariadb") else kind.insert(table)
    filled: Any = _filled(made, dialect, table, names)
    if ignoring and dialect not in ("mysql", "mariadb"):
        filled = filled.on_conflict_do_nothing()
    whole: Insert = filled
    return whole


@cache
def _upsert(dialect: str, table: Table, names: tuple[str, ...], changing: str) -> Insert:
    made: Any
    if dialect in ("mysql", "mariadb"):
        made = _filled(mysql.insert(table), dialect, table, names)
        made = made.on_duplicate_key_update({changing: made.inserted[changing]})
    else:
        made = _filled((postgresql if dialect == POSTGRESQL else sqlite).insert(table), dialect, table, names)
        made = made.on_conflict_do_update(index_elements=list(table.primary_key),
                                          set_={changing: made.excluded[changing]})
    insert_or_change: Insert = made
    return insert_or_change


@cache
def _update(arrays: bool, table: Table, key: str, names: tuple[str, ...], added: frozenset[str]) -> Update:
    given: Any = _arrays(table, names).c if arrays else {
        name: bindparam(f"_{name}", type_=table.c[name].type) for name in names}
    return update(table).where(table.c[key] == given[key]).values(
        {name: _value(table.c[name], given[name], name in added) for name in names if name != key})


def _value(stands: Column[Any], given: Any, added: bool) -> Any:
    return stands + given if added else given
