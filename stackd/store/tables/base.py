"""The metadata and column shapes all tables share.

Ids are char(32) hex, times double precision epoch seconds, structured values JSON text.
"""

from typing import Any

import orjson
from sqlalchemy import CHAR, BigInteger, Column, Computed, Double, MetaData, String, Text
from sqlalchemy.types import TypeDecorator

metadata = MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
})

Id = CHAR(32)
Name = String(255)
Seconds: Double[float] = Double()


class Json(TypeDecorator[Any]):
    """A JSON value as text, parsed by orjson; never queried inside SQL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        """Text for the database; None stays NULL."""
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """The value again."""
        return None if value is None else orjson.loads(value)


def id_column() -> Column[str]:
    """The primary key of a resource."""
    return Column("id", Id, primary_key=True)


def short_id_column() -> Column[str]:
    """The first 17 digits of ``id``, computed by the database: EC2 shows only these, so they are unique too.

    Without ``rtrim`` MariaDB refuses: what CHAR is padded with depends on a setting.
    """
    return Column("short_id", CHAR(17), Computed("substr(rtrim(id), 1, 17)", persisted=True), unique=True)


MARKS = ("observed_session", "observed_counter")


def newest_report() -> tuple[Column[int], ...]:
    """Session and counter of the newest report applied to the row, of the worker that looks after it."""
    return tuple(Column(name, BigInteger, nullable=False, default=0, server_default="0") for name in MARKS)


def times() -> tuple[Column[float], Column[float]]:
    """``created_at`` and ``updated_at``."""
    return (Column("created_at", Seconds, nullable=False, default=0.0),
            Column("updated_at", Seconds, nullable=False, default=0.0))
