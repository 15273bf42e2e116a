"""Quotas as both APIs show them: the limits of a project and what it uses; admins set the limits.

Limits are enforced where resources are made, in the same transaction, by ``store.quotas``.
"""

from collections.abc import Mapping

from attrs import evolve, fields

from stackd import errors
from stackd.model import kinds
from stackd.model.callers import ADMIN, READER, Caller
from stackd.model.quotas import UNLIMITED, QuotaSet
from stackd.rules import policy
from stackd.store import addresses, events, groups, identity, instances, keypairs, networks, quotas, subnets
from stackd.store.database import Database, Transaction

NAMES = tuple(attribute.name for attribute in fields(QuotaSet))
DEFAULTS = QuotaSet()
LARGEST = 2**31 - 1


class Quotas:
    """Limits and usage of projects."""

    def __init__(self, database: Database) -> None:
        """Everything is in ``database``."""
        self._database = database

    async def limits(self, caller: Caller, project_id: str) -> QuotaSet:
        """The limits of the caller's project, or of any for an admin; raises ``NotFound``."""
        return (await self.show(caller, project_id))[0]

    async def show(self, caller: Caller, project_id: str) -> tuple[QuotaSet, QuotaSet]:
        """Limits and usage, in this order; key pairs are counted for the caller. Raises ``NotFound``."""
        policy.demand(caller, READER, "show quotas")
        policy.demand_own(caller, kinds.PROJECT, project_id, project_id)
        return await self._database.read(_show, caller, project_id)

    async def change(self, caller: Caller, project_id: str, limits: Mapping[str, int]) -> QuotaSet:
        """Set some limits, leaving the others; -1 is no limit. All limits as they are then.

        Raises ``NotAllowed``, ``NotFound``, ``InvalidValue``.
        """
        policy.demand(caller, ADMIN, "change quotas")
        for name, limit in limits.items():
            _check(name, limit)
        return await self._database.write(_change, caller, project_id, limits)

    async def reset(self, caller: Caller, project_id: str) -> QuotaSet:
        """Go back to the defaults; raises ``NotAllowed``, ``NotFound``."""
        policy.demand(caller, ADMIN, "reset quotas")
        return await self._database.write(_reset, caller, project_id)


def _check(name: str, limit: int) -> None:
    if name not in NAMES:
        raise errors.InvalidValue(name, "there is no such quota.", remedy=f"Quotas are {', '.join(NAMES)}.")
    if not UNLIMITED <= limit <= LARGEST:
        raise errors.InvalidValue(name, f"it must be between {UNLIMITED} (no limit) and {LARGEST}.")


def _show(tx: Transaction, caller: Caller, project_id: str) -> tuple[QuotaSet, QuotaSet]:
    _demand_project(tx, project_id)
    count, cores, ram, connected = instances.usage(tx, project_id)
    used = QuotaSet(
        instances=count, cores=cores, ram=ram, key_pairs=keypairs.count(tx, caller.user_id), metadata_items=0,
        networks=networks.count(tx, project_id), subnets=subnets.count(tx, project_id),
        ports=connected, floating_ips=addresses.count(tx, project_id),
        security_groups=groups.count(tx, project_id), security_group_rules=groups.count_rules(tx, project_id))
    return quotas.limits_of(tx, project_id), used


def _change(tx: Transaction, caller: Caller, project_id: str, changes: Mapping[str, int]) -> QuotaSet:
    _demand_project(tx, project_id)
    limits = evolve(quotas.lock(tx, project_id), **changes)
    quotas.change(tx, project_id, limits)
    events.record(tx, kinds.QUOTA, project_id, project_id, "update", caller.user_id, caller.request_id,
                  after={name: str(limit) for name, limit in changes.items()})
    return limits


def _reset(tx: Transaction, caller: Caller, project_id: str) -> QuotaSet:
    _demand_project(tx, project_id)
    quotas.change(tx, project_id, DEFAULTS)
    events.record(tx, kinds.QUOTA, project_id, project_id, "reset", caller.user_id, caller.request_id)
    return DEFAULTS


def _demand_project(tx: Transaction, project_id: str) -> None:
    if identity.project_by_id(tx, project_id) is None:
        raise errors.NotFound(kinds.PROJECT, project_id)
