"""The table of key pairs; private keys are never kept."""

from sqlalchemy import Column, String, Table, Text, UniqueConstraint

from stackd.store.tables.base import Id, Name, id_column, metadata, short_id_column, times

keypairs = Table(
    "keypairs", metadata,
    id_column(),
    short_id_column(),
    Column("user_id", Id, nullable=False),
    Column("project_id", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("type", String(16), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("ec2_fingerprint", String(128), nullable=False),
    *times(),
    UniqueConstraint("user_id", "name"),
)
