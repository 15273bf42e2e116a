"""Security groups in SQL, and who must hear when one changes.

A host keeps the rules of every group its ports are in, and the addresses of the members of every group those rules
refer to. So a change of rules concerns the hosts of the group's ports, and a change of members the hosts of the
ports of each group that refers to it. Members are the ports that stand on a host.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import fields
from sqlalchemy import Row, delete, func, insert, select, update

from stackd import errors
from stackd.model import kinds, wire
from stackd.model.groups import Direction, SecurityGroup, SecurityGroupRule
from stackd.model.networks import GroupName, PortDesired
from stackd.rules.ownership import CONDUCTOR
from stackd.store.chunks import gathered
from stackd.store.database import Transaction
from stackd.store.holding import hold
from stackd.store.many import insert_many
from stackd.store.tables.networks import (
    member_changes,
    port_groups,
    ports,
    security_group_rules,
    security_groups,
)

DEFAULT = "default"
_RULE_NAMES = tuple(attribute.name for attribute in fields(SecurityGroupRule))
# A condition on ports: which of those in a group are its members.
MEMBER = (ports.c.host != "") & (ports.c.desired == PortDesired.WIRED.value)


def get(tx: Transaction, id: str) -> SecurityGroup:
    """One group with its rules, whoever asks; held when it is to be changed."""
    hold(tx, security_groups, security_groups.c.id == id)
    found = find(tx, None, ids=(id,))
    if not found:
        raise errors.NotFound(kinds.SECURITY_GROUP, id)
    return found[0]


def find(tx: Transaction, project_id: str | None, ids: Sequence[str] | None = None,
         names: Sequence[str] | None = None) -> tuple[SecurityGroup, ...]:
    """Groups with their rules, newest first; ``project_id`` None for those of every project."""
    statement = select(security_groups)
    if project_id is not None:
        statement = statement.where(security_groups.c.project_id == project_id)
    if names is not None:
        statement = statement.where(security_groups.c.name.in_(names))
    if ids is not None:
        return tuple(gathered(ids, lambda some: _records(tx, statement.where(security_groups.c.id.in_(some)))))
    return _records(tx, statement)


def resolve(tx: Transaction, project_id: str, refs: Sequence[str]) -> tuple[GroupName, ...]:
    """The project's groups named by id or by name, in the order asked, each once.

    Raises ``NotFound``, and ``Conflict`` for a name that several groups have.
    """
    if not refs:
        return ()
    chosen = security_groups.c.id.in_(refs) | security_groups.c.name.in_(refs)
    rows = tx.execute(select(security_groups.c.id, security_groups.c.name)
                      .where(security_groups.c.project_id == project_id, chosen)).all()
    found: dict[str, GroupName] = {}
    for ref in refs:
        named = [row for row in rows if row.id == ref] or [row for row in rows if row.name == ref]
        if not named:
            raise errors.NotFound(kinds.SECURITY_GROUP, ref)
        if len(named) > 1:
            raise errors.Conflict(f"Several security groups are named {ref}.", remedy="Use the id.")
        found[named[0].id] = GroupName(id=named[0].id, name=named[0].name)
    return tuple(found.values())


def add(tx: Transaction, group: SecurityGroup) -> SecurityGroup:
    """Insert a group with the rules it holds."""
    row = wire.dump(group)
    del row["rules"]
    tx.execute(insert(security_groups), [row])
    add_rules(tx, group.rules)
    return group


def change(tx: Transaction, id: str, values: Mapping[str, Any]) -> SecurityGroup:
    """Set columns of a group; ``updated_at`` follows."""
    tx.execute(update(security_groups).where(security_groups.c.id == id).values(updated_at=tx.now, **values))
    return get(tx, id)


def remove(tx: Transaction, id: str) -> None:
    """Delete a group no port is in, with its rules."""
    tx.execute(delete(security_group_rules).where(security_group_rules.c.group_id == id))
    tx.execute(delete(security_groups).where(security_groups.c.id == id))


def add_rules(tx: Transaction, rules: Sequence[SecurityGroupRule]) -> None:
    """Insert rules in one statement."""
    if rules:
        tx.execute(insert(security_group_rules), wire.dump(list(rules)))


def remove_rules(tx: Transaction, ids: Sequence[str]) -> None:
    """Delete rules."""
    tx.execute(delete(security_group_rules).where(security_group_rules.c.id.in_(ids)))


def find_rules(tx: Transaction, project_id: str | None, ids: Sequence[str] | None = None,
               group_ids: Sequence[str] | None = None) -> tuple[SecurityGroupRule, ...]:
    """Rules, oldest first; ``project_id`` None for those of every project."""
    statement = select(security_group_rules)
    for column, value in ((security_group_rules.c.id, ids), (security_group_rules.c.group_id, group_ids)):
        if value is not None:
            statement = statement.where(column.in_(value))
    if project_id is not None:
        statement = statement.where(security_group_rules.c.project_id == project_id)
    return tuple(_rule(row) for row in tx.execute(
        statement.order_by(security_group_rules.c.created_at, security_group_rules.c.id)))


def count(tx: Transaction, project_id: str) -> int:
    """How many groups a project has."""
    return int(tx.execute(select(func.count()).where(security_groups.c.project_id == project_id)).scalar_one())


def count_rules(tx: Transaction, project_id: str) -> int:
    """How many rules a project has."""
    return int(tx.execute(select(func.count()).where(security_group_rules.c.project_id == project_id)).scalar_one())


def count_ports(tx: Transaction, id: str) -> int:
    """How many ports are in a group."""
    return int(tx.execute(select(func.count()).where(port_groups.c.group_id == id)).scalar_one())


def generations(tx: Transaction, ids: Iterable[str]) -> dict[str, int]:
    """Group id -> its generation, for those that exist."""
    return {id: generation for id, generation in gathered(ids, lambda some: tx.execute(
        select(security_groups.c.id, security_groups.c.generation).where(security_groups.c.id.in_(some))).all())}


def referring(tx: Transaction, ids: Iterable[str]) -> set[str]:
    """The groups with a rule that refers to one of these groups."""
    return set(gathered(ids, lambda some: tx.execute(
        select(security_group_rules.c.group_id).distinct()
        .where(security_group_rules.c.remote_group_id.in_(some))).scalars()))


def changed(tx: Transaction, ids: Iterable[str]) -> None:
    """What hosts wire for these groups has changed: raise generations, stamp every host with a port in them."""
    many = sorted(set(ids))
    if not many:
        return
    hold(tx, security_groups, security_groups.c.id.in_(many))
    tx.execute(update(security_groups).where(security_groups.c.id.in_(many))
               .values(generation=security_groups.c.generation + 1))
    on_host: dict[str, list[str]] = {}
    placed = select(ports.c.host, port_groups.c.group_id).distinct().join(ports, ports.c.id == port_groups.c.port_id)
    for host, group_id in tx.execute(placed.where(port_groups.c.group_id.in_(many), MEMBER)):
        on_host.setdefault(host, []).append(group_id)
    for host, group_ids in on_host.items():
        tx.stamp(host, kinds.SECURITY_GROUP, group_ids)


def members_changed(tx: Transaction, ids: Iterable[str]) -> None:
    """These groups gained or lost a member; the conductor tells the hosts concerned.

    Not here and now: each guest of a project makes every host of the project look, many guests come at once, and who
    places them would wait for each other's hosts.
    """
    many = sorted(set(ids))
    if many:
        insert_many(tx, member_changes, [{"group_id": id} for id in many])
        tx.wake(CONDUCTOR)


def tell_members(tx: Transaction, most: int = 10_000) -> bool:
    """The groups that refer to those noted by :func:`members_changed` change; whether there were any.

    Any number of conductors may do it at once.
    """
    noted = select(member_changes).order_by(member_changes.c.number).limit(most).with_for_update(skip_locked=True)
    rows = tx.execute(noted).all()
    if rows:
        tx.execute(delete(member_changes).where(member_changes.c.number.in_([row.number for row in rows])))
        changed(tx, referring(tx, {row.group_id for row in rows}))
    return bool(rows)


def of_ports(tx: Transaction, port_ids: Iterable[str]) -> dict[str, list[str]]:
    """Port id -> ids of its groups, in the order they were given."""
    found: dict[str, list[str]] = {}
    chosen = select(port_groups.c.port_id, port_groups.c.group_id).order_by(port_groups.c.position)
    for port_id, group_id in gathered(port_ids, lambda some: tx.execute(
            chosen.where(port_groups.c.port_id.in_(some))).all()):
        found.setdefault(port_id, []).append(group_id)
    return found


def _records(tx: Transaction, statement: Any) -> tuple[SecurityGroup, ...]:
    rows = tx.execute(statement.order_by(security_groups.c.created_at.desc(), security_groups.c.id)).all()
    rules: dict[str, list[SecurityGroupRule]] = {}
    if rows:
        for rule in find_rules(tx, None, group_ids=[row.id for row in rows]):
            rules.setdefault(rule.group_id, []).append(rule)
    return tuple(_record(row, rules.get(row.id, [])) for row in rows)


def _record(row: Row[Any], rules: Sequence[SecurityGroupRule]) -> SecurityGroup:
    return SecurityGroup(rules=tuple(rules), **{column.name: getattr(row, column.name)
                                                for column in security_groups.c if column.name != "short_id"})


def _rule(row: Row[Any]) -> SecurityGroupRule:
    values = {name: getattr(row, name) for name in _RULE_NAMES}
    return SecurityGroupRule(**values | {"direction": Direction(row.direction)})
