"""Security groups and their rules as both APIs see them."""

from collections.abc import Sequence
from typing import Any

from stackd import errors
from stackd.core.networks import owner
from stackd.model import kinds
from stackd.model.callers import MEMBER, READER, Caller
from stackd.model.groups import RuleRequest, SecurityGroup, SecurityGroupRule
from stackd.model.ids import new_id
from stackd.rules import firewalls, policy
from stackd.store import events, quotas
from stackd.store import groups as store
from stackd.store.database import Database, Transaction


class SecurityGroups:
    """Named sets of permissions. Each project has one named ``default``, which stays."""

    def __init__(self, database: Database) -> None:
        """Everything is in ``database``."""
        self._database = database

    async def list(self, caller: Caller, ids: tuple[str, ...] | None = None, names: tuple[str, ...] | None = None,
                   all_projects: bool = False) -> tuple[SecurityGroup, ...]:
        """The caller's groups with their rules, newest first; with ``all_projects`` all, for admins."""
        policy.demand(caller, READER, "list security groups")
        project_id = None if caller.is_admin and all_projects else caller.project_id
        return await self._database.read(store.find, project_id, ids, names)

    async def get(self, caller: Caller, id: str) -> SecurityGroup:
        """One group with its rules; raises ``NotFound``."""
        policy.demand(caller, READER, "show security groups")
        return await self._database.read(_owned, caller, id)

    async def create(self, caller: Caller, name: str, description: str = "", unique_name: bool = False,
                     stateful: bool = True, project_id: str | None = None) -> SecurityGroup:
        """Make a group that permits all egress; with ``unique_name`` a name that is taken is refused (EC2).

        Raises ``QuotaExceeded``, ``AlreadyExists``.
        """
        policy.demand(caller, MEMBER, "create security groups")
        wanted = SecurityGroup(id=new_id(), project_id=owner(caller, project_id), name=name,
                               description=description, stateful=stateful)
        return await self._database.write(_create, caller, wanted, unique_name)

    async def update(self, caller: Caller, id: str, name: str | None = None,
                     description: str | None = None) -> SecurityGroup:
        """Rename or describe a group; raises ``NotFound``, and ``Conflict`` for renaming the default one."""
        policy.demand(caller, MEMBER, "update security groups")
        return await self._database.write(_update, caller, id, name, description)

    async def delete(self, caller: Caller, id: str) -> None:
        """Delete a group; raises ``NotFound``, and ``InUse`` by ports, by rules of other groups, or as default."""
        policy.demand(caller, MEMBER, "delete security groups")
        await self._database.write(_delete, caller, id)

    async def add_rules(self, caller: Caller, group_id: str,
                        requests: Sequence[RuleRequest]) -> tuple[SecurityGroupRule, ...]:
        """Add rules, all or none; raises ``AlreadyExists``, ``InvalidValue``, ``NotFound``, ``QuotaExceeded``."""
        policy.demand(caller, MEMBER, "create security group rules")
        rules = [firewalls.normalised(request) for request in requests]
        return await self._database.write(_add_rules, caller, group_id, rules)

    async def remove_rules(self, caller: Caller, group_id: str, rule_ids: Sequence[str]) -> None:
        """Remove rules of one group, all or none; raises ``NotFound``."""
        policy.demand(caller, MEMBER, "delete security group rules")
        await self._database.write(_remove_rules, caller, group_id, rule_ids)

    async def get_rule(self, caller: Caller, id: str) -> SecurityGroupRule:
        """One rule; raises ``NotFound``."""
        policy.demand(caller, READER, "show security group rules")
        return await self._database.read(_owned_rule, caller, id)

    async def list_rules(self, caller: Caller, ids: tuple[str, ...] | None = None,
                         group_ids: tuple[str, ...] | None = None,
                         all_projects: bool = False) -> tuple[SecurityGroupRule, ...]:
        """The caller's rules, oldest first; with ``all_projects`` all, for admins."""
        policy.demand(caller, READER, "list security group rules")
        project_id = None if caller.is_admin and all_projects else caller.project_id
        return await self._database.read(store.find_rules, project_id, ids, group_ids)


def _owned(tx: Transaction, caller: Caller, id: str) -> SecurityGroup:
    group = store.get(tx, id)
    policy.demand_own(caller, kinds.SECURITY_GROUP, id, group.project_id)
    return group


def _owned_rule(tx: Transaction, caller: Caller, id: str) -> SecurityGroupRule:
    found = store.find_rules(tx, None, ids=(id,))
    if not found or not policy.may_see(caller, found[0].project_id):
        raise errors.NotFound(kinds.SECURITY_GROUP_RULE, id)
    return found[0]


def _create(tx: Transaction, caller: Caller, wanted: SecurityGroup, unique_name: bool) -> SecurityGroup:
    limits = quotas.lock(tx, wanted.project_id)
    quotas.demand("security_groups", limits.security_groups, store.count(tx, wanted.project_id), 1)
    if (unique_name or wanted.name == store.DEFAULT) and store.find(tx, wanted.project_id, names=(wanted.name,)):
        raise errors.AlreadyExists(kinds.SECURITY_GROUP, wanted.name)
    rules = firewalls.default_rules(wanted.id, wanted.project_id, new_id, tx.now, from_itself=False)
    made = store.add(tx, SecurityGroup(
        id=wanted.id, project_id=wanted.project_id, name=wanted.name, description=wanted.description,
        stateful=wanted.stateful, rules=rules, created_at=tx.now, updated_at=tx.now))
    _record(tx, caller, made, "create")
    return made


def _update(tx: Transaction, caller: Caller, id: str, name: str | None, description: str | None) -> SecurityGroup:
    group = _owned(tx, caller, id)
    if name is not None and name != group.name and store.DEFAULT in (name, group.name):
        raise errors.Conflict("The default security group keeps its name, and no other group may have it.",
                              remedy="Choose another name.")
    values: dict[str, Any] = {"name": name, "description": description}
    changed = store.change(tx, id, {key: value for key, value in values.items() if value is not None})
    _record(tx, caller, changed, "update")
    return changed


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    group = _owned(tx, caller, id)
    if group.name == store.DEFAULT and not caller.is_admin:
        raise errors.InUse(kinds.SECURITY_GROUP, id, "its project as the default one",
                           remedy="The default group cannot be deleted; remove its rules instead.")
    if ports := store.count_ports(tx, id):
        raise errors.InUse(kinds.SECURITY_GROUP, id, f"{ports} ports")
    if others := store.referring(tx, [id]) - {id}:
        raise errors.InUse(kinds.SECURITY_GROUP, id, f"rules of {len(others)} other security groups")
    store.remove(tx, id)
    _record(tx, caller, group, "delete")


def _add_rules(tx: Transaction, caller: Caller, group_id: str,
               requests: Sequence[RuleRequest]) -> tuple[SecurityGroupRule, ...]:
    group = _owned(tx, caller, group_id)
    limits = quotas.lock(tx, group.project_id)
    for remote in sorted({request.remote_group_id for request in requests if request.remote_group_id}):
        _owned(tx, caller, remote)
    present = store.find_rules(tx, None, group_ids=(group_id,))
    if (twice := firewalls.duplicate(present, requests)) is not None:
        raise errors.AlreadyExists(kinds.SECURITY_GROUP_RULE, firewalls.described(twice),
                                   remedy="The group permits this already.")
    used = store.count_rules(tx, group.project_id)
    quotas.demand("security_group_rules", limits.security_group_rules, used, len(requests))
    rules = tuple(_rule(group, request, tx.now) for request in requests)
    store.add_rules(tx, rules)
    store.changed(tx, [group_id])
    _record(tx, caller, group, "add_rules", [rule.id for rule in rules])
    return rules


def _rule(group: SecurityGroup, request: RuleRequest, now: float) -> SecurityGroupRule:
    return SecurityGroupRule(
        id=new_id(), group_id=group.id, project_id=group.project_id, direction=request.direction,
        ethertype=request.ethertype, protocol=request.protocol, port_min=request.port_min,
        port_max=request.port_max, remote_cidr=request.remote_cidr, remote_group_id=request.remote_group_id,
        description=request.description, created_at=now)


def _remove_rules(tx: Transaction, caller: Caller, group_id: str, rule_ids: Sequence[str]) -> None:
    group = _owned(tx, caller, group_id)
    present = {rule.id for rule in store.find_rules(tx, None, ids=rule_ids) if rule.group_id == group_id}
    for id in rule_ids:
        if id not in present:
            raise errors.NotFound(kinds.SECURITY_GROUP_RULE, id)
    store.remove_rules(tx, rule_ids)
    store.changed(tx, [group_id])
    _record(tx, caller, group, "remove_rules", rule_ids)


def _record(tx: Transaction, caller: Caller, group: SecurityGroup, action: str,
            rule_ids: Sequence[str] = ()) -> None:
    after = {"rules": " ".join(rule_ids)} if rule_ids else None
    events.record(tx, kinds.SECURITY_GROUP, group.id, group.project_id, action, caller.user_id, caller.request_id,
                  group.generation, after=after)
