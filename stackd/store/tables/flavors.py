"""The table of flavors."""

from sqlalchemy import Boolean, Column, Integer, String, Table

from stackd.store.tables.base import Json, Name, metadata, times

flavors = Table(
    "flavors", metadata,
    Column("id", String(255), primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("vcpus", Integer, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("disk_gib", Integer, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("extra_specs", Json, nullable=False),
    Column("description", String(1024), nullable=False),
    *times(),
)
