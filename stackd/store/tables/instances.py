"""Tables of instances, their user data and the client tokens of launches."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, and_, or_

from stackd.model.instances import GuestState
from stackd.store.tables.base import Id, Json, Name, Seconds, id_column, metadata, short_id_column, times

instances = Table(
    "instances", metadata,
    id_column(),
    short_id_column(),
    Column("project_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("hostname", Name, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("reservation_id", Id, nullable=False),
    Column("launch_index", Integer, nullable=False),
    Column("min_count", Integer, nullable=False, default=1),
    Column("flavor", Text, nullable=False),
    Column("flavor_id", Name, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("disk_gib", BigInteger, nullable=False),
    Column("image", Text, nullable=False),
    Column("image_id", Id, nullable=False),
    Column("key_name", Name, nullable=False, default=""),
    Column("public_key", Text, nullable=False, default=""),
    Column("metadata", Json, nullable=False),
    Column("has_user_data", Boolean, nullable=False, default=False),
    Column("config_drive", Boolean, nullable=False, default=False),
    Column("locked", Boolean, nullable=False, default=False),
    Column("lock_reason", Text, nullable=False, default=""),
    Column("labels", Json, nullable=False, default=[]),
    Column("access_ipv4", String(64), nullable=False, default=""),
    Column("access_ipv6", String(64), nullable=False, default=""),
    Column("zone_wanted", Name, nullable=False, default=""),
    Column("host_wanted", Name, nullable=False, default=""),
    Column("zone", Name, nullable=False, default=""),
    Column("host", Name, nullable=False, default=""),
    Column("placement_epoch", Integer, nullable=False, default=0),
    Column("desired", String(16), nullable=False),
    Column("generation", Integer, nullable=False, default=1),
    Column("reboots", Integer, nullable=False, default=0),
    Column("reboot_kind", String(8), nullable=False, default="soft"),
    Column("on_launch_fault", String(16), nullable=False, default="keep"),
    Column("observed_state", String(16), nullable=False, default="unknown"),
    Column("observed_generation", Integer, nullable=False, default=0),
    Column("observed_reboots", Integer, nullable=False, default=0),
    Column("observed_at", Seconds, nullable=False, default=0.0),
    Column("observed_session", BigInteger, nullable=False, default=0),
    Column("observed_counter", BigInteger, nullable=False, default=0),
    Column("fault", Json),
    Column("steady", String(16), nullable=False),
    Column("transition", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    *times(),
    Column("launched_at", Seconds),
    Column("ended_at", Seconds),
    Column("request_id", String(64), nullable=False, default=""),
    Column("unplaced", Boolean, nullable=False, default=True),
    Index("ix_instances_project", "project_id", "ended_at", "created_at", "id"),
    # Lists that show what ended lately too, as EC2 does, are in this order.
    Index("ix_instances_listed", "project_id", "created_at", "id"),
    Index("ix_instances_created", "ended_at", "created_at", "id"),
    # Schedulers begin anywhere in it, and find reservations whole.
    Index("ix_instances_pending", "unplaced", "reservation_id", "launch_index"),
    Index("ix_instances_host", "host", "ended_at"),
    Index("ix_instances_reservation", "reservation_id"),
)
"""``unplaced`` is true while the scheduler owns the row: it needs a host, has none and no fault stands."""

HOLDING = and_(instances.c.host != "", or_(
    instances.c.ended_at.is_(None), instances.c.observed_state != GuestState.ABSENT.value,
    instances.c.observed_generation != instances.c.generation))
"""What has room of its host: what ended because the host was gone has it until the host confirms (rules.reports)."""

user_data = Table(
    "user_data", metadata,
    Column("instance_id", Id, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

client_tokens = Table(
    "client_tokens", metadata,
    Column("project_id", Id, primary_key=True),
    Column("token", String(64), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("reservation_id", Id, nullable=False),
    Column("created_at", Seconds, nullable=False),
)
