"""Credentials in SQL: access keys, application credentials, and revoked tokens. ``core.identity*`` calls it."""

from typing import Any

from attrs import asdict, fields
from sqlalchemy import ColumnElement, Row, delete, insert, select

from stackd.model.identities import AccessKey, ApplicationCredential
from stackd.store.database import Transaction
from stackd.store.tables.identity import access_keys, application_credentials, revocations

_KEY = tuple(a.name for a in fields(AccessKey))
_CREDENTIAL = tuple(a.name for a in fields(ApplicationCredential) if a.name != "secret")


def add_key(tx: Transaction, key: AccessKey, encrypted: str) -> None:
    """Insert an access key; ``encrypted`` is its secret at rest."""
    tx.execute(insert(access_keys).values(**{**asdict(key), "secret": encrypted}))


def key(tx: Transaction, access: str) -> AccessKey | None:
    """One access key, its ``secret`` still encrypted."""
    return next(iter(_keys(tx, access_keys.c.access == access)), None)


def keys_of(tx: Transaction, user_id: str) -> tuple[AccessKey, ...]:
    """All access keys of a user, oldest first, secrets still encrypted."""
    return _keys(tx, access_keys.c.user_id == user_id)


def remove_key(tx: Transaction, access: str) -> bool:
    """Delete one; whether it was there."""
    return tx.execute(delete(access_keys).where(access_keys.c.access == access)).rowcount == 1


def add_credential(tx: Transaction, credential: ApplicationCredential, secret_hash: str) -> None:
    """Insert an application credential."""
    values = asdict(credential, filter=lambda a, _: a.name in _CREDENTIAL)
    tx.execute(insert(application_credentials).values(**values, secret_hash=secret_hash))


def credential(tx: Transaction, id: str) -> tuple[ApplicationCredential, str] | None:
    """One application credential and the hash of its secret."""
    return _credential(tx, application_credentials.c.id == id)


def credential_by_name(tx: Transaction, user_id: str, name: str) -> tuple[ApplicationCredential, str] | None:
    """One of a user by name, and the hash of its secret."""
    columns = application_credentials.c
    return _credential(tx, (columns.user_id == user_id) & (columns.name == name))


def credentials_of(tx: Transaction, user_id: str) -> tuple[ApplicationCredential, ...]:
    """All application credentials of a user, by name."""
    columns = application_credentials.c
    found = tx.execute(select(*(columns[name] for name in _CREDENTIAL)).where(columns.user_id == user_id)
                       .order_by(columns.name))
    return tuple(map(_record, found))


def remove_credential(tx: Transaction, id: str) -> bool:
    """Delete one; whether it was there."""
    return tx.execute(delete(application_credentials).where(application_credentials.c.id == id)).rowcount == 1


def revoke(tx: Transaction, audit_id: str, expires_at: float) -> None:
    """Remember that a token is void until it would have expired, and forget those that have."""
    tx.execute(delete(revocations).where(revocations.c.expires_at < tx.now))
    if audit_id not in revoked(tx):
        tx.execute(insert(revocations).values(audit_id=audit_id, expires_at=expires_at))


def revoked(tx: Transaction) -> frozenset[str]:
    """The audit ids of all tokens revoked that have not expired."""
    return frozenset(tx.execute(select(revocations.c.audit_id).where(revocations.c.expires_at >= tx.now)).scalars())


def _keys(tx: Transaction, condition: ColumnElement[bool]) -> tuple[AccessKey, ...]:
    query = select(*(access_keys.c[name] for name in _KEY)).where(condition)
    found = tx.execute(query.order_by(access_keys.c.created_at, access_keys.c.access))
    return tuple(AccessKey(**dict(zip(_KEY, row, strict=True))) for row in found)


def _credential(tx: Transaction, condition: ColumnElement[bool]) -> tuple[ApplicationCredential, str] | None:
    columns = application_credentials.c
    row = tx.execute(select(*(columns[name] for name in _CREDENTIAL), columns.secret_hash).where(condition)).first()
    return None if row is None else (_record(row[:-1]), row[-1])


def _record(row: Row[Any] | tuple[Any, ...]) -> ApplicationCredential:
    values = dict(zip(_CREDENTIAL, row, strict=True))
    return ApplicationCredential(**{**values, "roles": tuple(values["roles"])})
