"""Ids by their beginning: EC2 shows 17 of the 32 digits, a range on the key finds the row. For ``core``."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, or_, select

from stackd.model import kinds
from stackd.store.database import Transaction
from stackd.store.tables.instances import instances
from stackd.store.tables.keypairs import keypairs
from stackd.store.tables.networks import (
    floating_ips,
    networks,
    ports,
    security_group_rules,
    security_groups,
    subnets,
)

TABLES: dict[str, Table] = {
    kinds.INSTANCE: instances,
    kinds.KEYPAIR: keypairs,
    kinds.NETWORK: networks,
    kinds.SUBNET: subnets,
    kinds.PORT: ports,
    kinds.FLOATING_IP: floating_ips,
    kinds.SECURITY_GROUP: security_groups,
    kinds.SECURITY_GROUP_RULE: security_group_rules,
}
# sqlite takes expressions a thousand deep; a chain of ORs counts.
_AT_ONCE = 200


def described(tx: Transaction, id: str) -> dict[str, Any] | None:
    """What can be said of any resource with a table here: its kind, name and project, and that it is to be removed."""
    for kind, table in TABLES.items():
        row = tx.execute(select(table).where(table.c.id == id)).mappings().first()
        if row is not None:
            state = {"state": "deleted, and kept until no host needs it"} if row.get("deleted") else {}
            return {"kind": kind, "name": row.get("name") or None, "project": row["project_id"], **state}
    return None


def within(tx: Transaction, kind: str, ranges: Iterable[tuple[str, str]], project_id: str | None, user_id: str | None,
           ended_since: float) -> list[str]:
    """The ids of a kind in any of the inclusive ranges that the project (None: any) may see.

    Key pairs belong to ``user_id`` (None: any); instances that ended before ``ended_since`` and released addresses are
    gone.
    """
    table = TABLES[kind]
    conditions = [*_owned(table, project_id, user_id), *_alive(table, ended_since)]
    many = list(ranges)
    found: list[str] = []
    for start in range(0, len(many), _AT_ONCE):
        some = or_(*(table.c.id.between(low, high) for low, high in many[start:start + _AT_ONCE]))
        found += tx.execute(select(table.c.id).where(and_(some, *conditions))).scalars()
    return found


def _owned(table: Table, project_id: str | None, user_id: str | None) -> list[ColumnElement[bool]]:
    if table is keypairs:
        return [] if user_id is None else [table.c.user_id == user_id]
    if project_id is None:
        return []
    mine = table.c.project_id == project_id
    if table is networks:
        return [or_(mine, networks.c.shared)]
    if table is subnets:
        return [or_(mine, subnets.c.network_id.in_(select(networks.c.id).where(networks.c.shared)))]
    return [mine]


def _alive(table: Table, ended_since: float) -> list[ColumnElement[bool]]:
    if table is instances:
        return [or_(instances.c.ended_at.is_(None), instances.c.ended_at > ended_since)]
    return [floating_ips.c.deleted.is_(False)] if table is floating_ips else []
