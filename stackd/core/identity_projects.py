"""Projects: made, changed and ended by admins, seen by those who hold a role in them."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from stackd import errors
from stackd.core.identity_access import Changes, demand_name, demand_self, note
from stackd.model import kinds
from stackd.model.callers import ADMIN, Caller
from stackd.model.identities import Project
from stackd.model.ids import new_id
from stackd.model.paging import Page, PageRequest
from stackd.model.quotas import QuotaSet
from stackd.rules import policy
from stackd.store import identity as store
from stackd.store import identity_leavings, quotas
from stackd.store.database import Database, Transaction

Hook = Callable[[Transaction, Project], None]


class Projects:
    """The tenants of the cloud."""

    def __init__(self, database: Database, changes: Changes, on_new: Sequence[Hook]) -> None:
        """The hooks run in the transaction that makes a project, in order."""
        self._database = database
        self._changes = changes
        self._on_new = tuple(on_new)

    async def list(self, caller: Caller, page: PageRequest, name: str | None = None,
                   enabled: bool | None = None) -> Page[Project]:
        """All projects, for admins, in the order of ids; others may look up one of their own by its name."""
        if name is None:
            policy.demand(caller, ADMIN, "list projects")
        whose = None if caller.is_admin else caller.user_id
        return await self._database.read(store.list_projects, page, name, enabled, whose)

    async def of_user(self, caller: Caller, user_id: str, page: PageRequest) -> Page[Project]:
        """The enabled projects a user holds a role in; raises ``NotFound`` for another user."""
        demand_self(caller, user_id)
        return await self._database.read(store.list_projects, page, None, True, user_id)

    async def get(self, caller: Caller, id: str) -> Project:
        """One project, for admins and those who hold a role in it; raises ``NotFound``."""
        return await self._database.read(_visible, caller, id)

    async def create(self, caller: Caller, name: str, description: str = "", enabled: bool = True) -> Project:
        """Make one, with its quota and all that the hooks add; raises ``NotAllowed``, ``AlreadyExists``."""
        policy.demand(caller, ADMIN, "create projects")
        demand_name(kinds.PROJECT, name)
        project = Project(id=new_id(), name=name, account="", description=description, enabled=enabled)
        return await self._changes.write(self._create, caller, project)

    async def update(self, caller: Caller, id: str, changes: dict[str, Any]) -> Project:
        """Set any of ``name``, ``description``, ``enabled``; raises ``NotAllowed``, ``NotFound``, ``AlreadyExists``."""
        policy.demand(caller, ADMIN, "change projects")
        if "name" in changes:
            demand_name(kinds.PROJECT, changes["name"])
        return await self._changes.write(_update, caller, id, changes)

    async def delete(self, caller: Caller, id: str) -> None:
        """End one, with all assignments, credentials, networks and groups in it.

        Raises ``NotAllowed``, ``NotFound``, and ``InUse`` while it has instances, ports or floating addresses.
        """
        policy.demand(caller, ADMIN, "delete projects")
        await self._changes.write(_delete, caller, id)

    def ensure(self, tx: Transaction, caller: Caller, name: str) -> Project:
        """The project of this name, made when there is none; for bootstrapping."""
        found = store.project_by_name(tx, name)
        return found or self._create(tx, caller, Project(id=new_id(), name=name, account=""))

    def _create(self, tx: Transaction, caller: Caller, asked: Project) -> Project:
        if store.project_by_name(tx, asked.name) is not None:
            raise errors.AlreadyExists(kinds.PROJECT, asked.name)
        project = evolve(asked, account=_free_account(tx), created_at=tx.now)
        store.add_project(tx, project)
        quotas.create(tx, project.id, QuotaSet())
        for hook in self._on_new:
            hook(tx, project)
        note(tx, caller, kinds.PROJECT, project.id, "create", project.id)
        return project


def _visible(tx: Transaction, caller: Caller, id: str) -> Project:
    project = store.project_by_id(tx, id)
    if project is not None and (policy.may_see(caller, id) or store.roles_held(tx, caller.user_id, id)):
        return project
    raise errors.NotFound(kinds.PROJECT, id)


def _update(tx: Transaction, caller: Caller, id: str, changes: dict[str, Any]) -> Project:
    namesake = store.project_by_name(tx, changes["name"]) if "name" in changes else None
    if namesake is not None and namesake.id != id:
        raise errors.AlreadyExists(kinds.PROJECT, namesake.name)
    if not store.change_project(tx, id, changes):
        raise errors.NotFound(kinds.PROJECT, id)
    note(tx, caller, kinds.PROJECT, id, "update", id)
    return _visible(tx, caller, id)


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    if store.project_by_id(tx, id) is None:
        raise errors.NotFound(kinds.PROJECT, id)
    identity_leavings.demand_unused(tx, id)
    identity_leavings.clear(tx, id)
    store.remove_project(tx, id)
    note(tx, caller, kinds.PROJECT, id, "delete", id)


def _free_account(tx: Transaction) -> str:
    while True:
        account = str(secrets.randbelow(9 * 10**11) + 10**11)
        if not store.account_taken(tx, account):
            return account
