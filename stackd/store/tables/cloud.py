"""Tables of the cloud as a whole: events, quotas, hosts, assignments, worker sessions, incarnation."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from stackd.store.tables.base import Id, Json, Name, Seconds, id_column, metadata

events = Table(
    "events", metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("at", Seconds, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("resource_id", String(64), nullable=False),
    Column("project_id", String(32), nullable=False),
    Column("action", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("generation", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),
    Column("before", Json),
    Column("after", Json),
    Index("ix_events_resource", "resource_id", "number"),
)
"""``number`` orders what one clock reading cannot; it is no cursor, for transactions commit out of its order."""

quotas = Table(
    "quotas", metadata,
    Column("project_id", Id, primary_key=True),
    Column("limits", Json, nullable=False),
)
"""One row a project; it is locked first by each transaction that counts."""

hosts = Table(
    "hosts", metadata,
    id_column(),
    Column("name", Name, nullable=False, unique=True),
    Column("zone", Name, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("disabled_reason", Text, nullable=False, default=""),
    Column("capacity", Json, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("disk_gib", BigInteger, nullable=False),
    Column("used_vcpus", Integer, nullable=False, default=0),
    Column("used_memory_mib", BigInteger, nullable=False, default=0),
    Column("used_disk_gib", BigInteger, nullable=False, default=0),
    Column("instances", Integer, nullable=False, default=0),
    Column("version", BigInteger, nullable=False, default=0),
    Column("tunnel_address", String(45), nullable=False, default="", server_default=""),
    Column("physical_networks", Json, nullable=True),
)
"""``vcpus``, ``memory_mib`` and ``disk_gib`` are what may be claimed, over-commitment included."""

contacts = Table(
    "contacts", metadata,
    Column("host", Name, primary_key=True),
    Column("worker", String(32), primary_key=True),
    Column("session", BigInteger, nullable=False, default=0),
    Column("last_seen", Seconds, nullable=False, default=0.0),
)

assignments = Table(
    "assignments", metadata,
    Column("host", Name, ForeignKey("hosts.name"), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("resource_id", Id, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Index("ix_assignments_host_version", "host", "version"),
)
"""What changed for a host, and at which of its versions; one row per resource, moved up by each stamp."""

cloud = Table(
    "cloud", metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts of the cloud: ``incarnation``."""
