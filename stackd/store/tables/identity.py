"""Tables of identity: projects, users, roles, who holds which, and the credentials.

There is one domain, so names are unique in the cloud. Tokens have no table: they are encrypted values; only the
ids of those revoked before their time are kept.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from stackd.store.tables.base import Id, Json, Name, Seconds, id_column, metadata, times

projects = Table(
    "projects", metadata,
    id_column(),
    Column("name", Name, nullable=False, unique=True),
    Column("account", String(12), nullable=False, unique=True),
    Column("description", Text, nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
    *times(),
)

users = Table(
    "users", metadata,
    id_column(),
    Column("name", Name, nullable=False, unique=True),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("email", Name, nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("default_project_id", String(32), nullable=False, default=""),
    Column("password_hash", String(255), nullable=False, default=""),
    Column("valid_after", Seconds, nullable=False, default=0.0),
    *times(),
)
"""``password_hash`` empty: no password works. Tokens issued before ``valid_after`` are void."""

roles = Table(
    "roles", metadata,
    id_column(),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False, default=""),
    *times(),
)

role_assignments = Table(
    "role_assignments", metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id"), primary_key=True),
    Column("role_id", Id, ForeignKey("roles.id"), primary_key=True),
    Index("ix_role_assignments_project", "project_id"),
)

access_keys = Table(
    "access_keys", metadata,
    Column("access", String(64), primary_key=True),
    Column("secret", Text, nullable=False),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False, index=True),
    Column("project_id", Id, ForeignKey("projects.id"), nullable=False, index=True),
    Column("created_at", Seconds, nullable=False),
)
"""``secret`` is encrypted: signatures can only be verified with the secret itself."""

application_credentials = Table(
    "application_credentials", metadata,
    id_column(),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False),
    Column("project_id", Id, ForeignKey("projects.id"), nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("roles", Json, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("secret_hash", String(255), nullable=False),
    Column("expires_at", Seconds),
    Column("created_at", Seconds, nullable=False),
    UniqueConstraint("user_id", "name"),
)

revocations = Table(
    "revocations", metadata,
    Column("audit_id", String(32), primary_key=True),
    Column("expires_at", Seconds, nullable=False, index=True),
)
"""Audit ids of tokens deleted before they expired; forgotten when they would have expired."""
