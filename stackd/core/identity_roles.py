"""Roles, and who holds which in which project; for admins."""

from typing import Any

from stackd import errors
from stackd.core.identity_access import Changes, demand_name, note
from stackd.model import kinds
from stackd.model.callers import ADMIN, ROLES, Caller
from stackd.model.identities import Assignment, Role
from stackd.model.ids import new_id
from stackd.model.paging import Page, PageRequest
from stackd.rules import policy
from stackd.store import identity as store
from stackd.store.database import Database, Transaction


class Roles:
    """What may be done, and by whom."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """``changes`` writes and empties the cache of callers."""
        self._database = database
        self._changes = changes

    async def list(self, caller: Caller, page: PageRequest, name: str | None = None) -> Page[Role]:
        """All roles in the order of ids."""
        policy.demand(caller, ADMIN, "list roles")
        return await self._database.read(store.list_roles, page, name)

    async def get(self, caller: Caller, id: str) -> Role:
        """One role; raises ``NotAllowed``, ``NotFound``."""
        policy.demand(caller, ADMIN, "show roles")
        return await self._database.read(_role, id)

    async def create(self, caller: Caller, name: str, description: str = "") -> Role:
        """Make one; raises ``NotAllowed``, ``AlreadyExists``."""
        policy.demand(caller, ADMIN, "create roles")
        demand_name(kinds.ROLE, name)
        return await self._changes.write(_create, caller, Role(id=new_id(), name=name, description=description))

    async def update(self, caller: Caller, id: str, changes: dict[str, Any]) -> Role:
        """Set ``name`` or ``description``; the names of the built-in roles stay.

        Raises ``NotAllowed``, ``NotFound``, ``AlreadyExists``, ``InUse``.
        """
        policy.demand(caller, ADMIN, "change roles")
        if "name" in changes:
            demand_name(kinds.ROLE, changes["name"])
        return await self._changes.write(_update, caller, id, changes)

    async def delete(self, caller: Caller, id: str) -> None:
        """End one, wherever it is held; raises ``NotAllowed``, ``NotFound``, ``InUse`` for a built-in one."""
        policy.demand(caller, ADMIN, "delete roles")
        await self._changes.write(_delete, caller, id)

    async def held(self, caller: Caller, user_id: str, project_id: str) -> tuple[Role, ...]:
        """The roles a user holds in a project; raises ``NotAllowed``, ``NotFound``."""
        policy.demand(caller, ADMIN, "list role assignments")
        return await self._database.read(_held, user_id, project_id)

    async def grant(self, caller: Caller, user_id: str, project_id: str, role_id: str) -> None:
        """Let a user hold a role in a project; no error when they do. Raises ``NotAllowed``, ``NotFound``."""
        policy.demand(caller, ADMIN, "assign roles")
        await self._changes.write(_grant, caller, user_id, project_id, role_id)

    async def revoke(self, caller: Caller, user_id: str, project_id: str, role_id: str) -> None:
        """Take a role away; raises ``NotAllowed``, ``NotFound`` when it is not held."""
        policy.demand(caller, ADMIN, "revoke roles")
        await self._changes.write(_revoke, caller, user_id, project_id, role_id)

    async def demand_held(self, caller: Caller, user_id: str, project_id: str, role_id: str) -> None:
        """Raise ``NotFound`` unless the user holds the role in the project, ``NotAllowed``."""
        held = await self.held(caller, user_id, project_id)
        if role_id not in {role.id for role in held}:
            raise errors.NotFound(kinds.ROLE, role_id)

    async def assignments(self, caller: Caller, user_id: str | None = None, project_id: str | None = None,
                          role_id: str | None = None) -> tuple[Assignment, ...]:
        """Who holds what where; None means no condition. Users may ask for their own."""
        if user_id != caller.user_id:
            policy.demand(caller, ADMIN, "list role assignments")
        return await self._database.read(store.assignments, user_id, project_id, role_id)


def ensure(tx: Transaction, caller: Caller) -> dict[str, Role]:
    """The built-in roles by name, made where missing; for bootstrapping."""
    return {name: store.role_by_name(tx, name) or _create(tx, caller, Role(id=new_id(), name=name)) for name in ROLES}


def ensure_held(tx: Transaction, caller: Caller, user_id: str, project_id: str, role: Role) -> None:
    """Grant a role where it is not held yet."""
    if role not in store.roles_held(tx, user_id, project_id):
        store.assign(tx, user_id, project_id, role.id)
        note(tx, caller, kinds.USER, user_id, "grant", project_id)


def _role(tx: Transaction, id: str) -> Role:
    role = store.role_by_id(tx, id)
    if role is None:
        raise errors.NotFound(kinds.ROLE, id)
    return role


def _create(tx: Transaction, caller: Caller, role: Role) -> Role:
    if store.role_by_name(tx, role.name) is not None:
        raise errors.AlreadyExists(kinds.ROLE, role.name)
    store.add_role(tx, role)
    note(tx, caller, kinds.ROLE, role.id, "create")
    return role


def _update(tx: Transaction, caller: Caller, id: str, changes: dict[str, Any]) -> Role:
    role = _role(tx, id)
    if changes.get("name", role.name) != role.name:
        _demand_changeable(role)
        if store.role_by_name(tx, changes["name"]) is not None:
            raise errors.AlreadyExists(kinds.ROLE, changes["name"])
    store.change_role(tx, id, changes)
    note(tx, caller, kinds.ROLE, id, "update")
    return _role(tx, id)


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    _demand_changeable(_role(tx, id))
    store.remove_role(tx, id)
    note(tx, caller, kinds.ROLE, id, "delete")


def _demand_changeable(role: Role) -> None:
    if role.name in ROLES:
        raise errors.InUse(kinds.ROLE, role.name, "the policy of this cloud", remedy="Make a role of another name.")


def _held(tx: Transaction, user_id: str, project_id: str) -> tuple[Role, ...]:
    if store.user_by_id(tx, user_id) is None:
        raise errors.NotFound(kinds.USER, user_id)
    if store.project_by_id(tx, project_id) is None:
        raise errors.NotFound(kinds.PROJECT, project_id)
    return store.roles_held(tx, user_id, project_id)


def _grant(tx: Transaction, caller: Caller, user_id: str, project_id: str, role_id: str) -> None:
    _held(tx, user_id, project_id)
    ensure_held(tx, caller, user_id, project_id, _role(tx, role_id))


def _revoke(tx: Transaction, caller: Caller, user_id: str, project_id: str, role_id: str) -> None:
    _held(tx, user_id, project_id)
    if not store.unassign(tx, user_id, project_id, role_id):
        raise errors.NotFound(kinds.ROLE, role_id)
    note(tx, caller, kinds.USER, user_id, "revoke", project_id)
