"""The table of tags on everything but instances, whose metadata are their tags."""

from sqlalchemy import Column, Index, String, Table

from stackd.store.tables.base import Id, Name, metadata

tags = Table(
    "tags", metadata,
    Column("resource_id", Id, primary_key=True),
    Column("project_id", Id, primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("value", Name, nullable=False, default=""),
    Index("ix_tags_project_id_kind", "project_id", "kind"),
)
"""The project is part of the key: two projects may tag the same public image, and neither sees the other's."""
