"""Tables of the image catalogue; the image service owns them, also when it has a database of its own."""

from sqlalchemy import CHAR, BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from stackd.store.tables.base import Id, Name, Seconds, id_column, metadata, short_id_column, times

images = Table(
    "images", metadata,
    id_column(),
    short_id_column(),
    Column("prefix", CHAR(17), nullable=False, unique=True),
    Column("owner", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("status", String(16), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("disk_format", String(16)),
    Column("container_format", String(16)),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("checksum", CHAR(32)),
    Column("hash_value", CHAR(128)),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    *times(),
    Column("deleted_at", Seconds),
    Column("upload", String(64), nullable=False, default=""),
    Column("stored", String(64), nullable=False, default=""),
    Column("progress_at", Seconds, nullable=False, default=0.0),
    Index("ix_images_owner", "owner", "deleted_at", "created_at", "id"),
    Index("ix_images_visibility", "visibility", "deleted_at", "created_at", "id"),
    Index("ix_images_name", "name"),
)
"""``prefix`` makes EC2's short ids unique. ``upload`` is the store's key while SAVING, ``stored`` that of complete
bytes; a DELETED row keeps ``stored`` until the sweep removed them. ``progress_at`` tells a live upload from a dead
one."""

image_properties = Table(
    "image_properties", metadata,
    Column("image_id", Id, ForeignKey("images.id"), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("value", Text, nullable=False),
)

image_tags = Table(
    "image_tags", metadata,
    Column("image_id", Id, ForeignKey("images.id"), primary_key=True),
    Column("tag", Name, primary_key=True),
)

image_members = Table(
    "image_members", metadata,
    Column("image_id", Id, ForeignKey("images.id"), primary_key=True),
    Column("member", Id, primary_key=True),
    Column("status", String(16), nullable=False),
    *times(),
    Index("ix_image_members_member", "member", "status"),
)
