"""Users: made, changed and ended by admins; everybody sees and may re-password only themselves."""

from typing import Any

from attrs import evolve

from stackd import errors
from stackd.core.identity_access import Changes, demand_name, demand_person, demand_self, note
from stackd.core.identity_passwords import MAX_PASSWORD, Passwords
from stackd.core.identity_tokens import refused
from stackd.model import kinds
from stackd.model.callers import ADMIN, Caller
from stackd.model.identities import User
from stackd.model.ids import new_id
from stackd.model.paging import Page, PageRequest
from stackd.rules import policy
from stackd.store import identity as store
from stackd.store import keypairs
from stackd.store.database import Database, Transaction


class Users:
    """The people and programs that may log in."""

    def __init__(self, database: Database, changes: Changes, passwords: Passwords) -> None:
        """``passwords`` hashes."""
        self._database = database
        self._changes = changes
        self._passwords = passwords

    async def list(self, caller: Caller, page: PageRequest, name: str | None = None,
                   enabled: bool | None = None) -> Page[User]:
        """All users, for admins, in the order of ids; others may look up themselves by name."""
        if name is not None and not caller.is_admin:
            return Page((await self.get(caller, caller.user_id),) if name == caller.user_name else ())
        policy.demand(caller, ADMIN, "list users")
        return await self._database.read(store.list_users, page, name, enabled)

    async def get(self, caller: Caller, id: str) -> User:
        """One user, for admins and the user; raises ``NotFound``."""
        demand_self(caller, id)
        return (await self._found(id)).user

    async def create(self, caller: Caller, user: User, password: str | None = None) -> User:
        """Make one (its id and time are ours); without a password nobody can log in by one.

        Raises ``NotAllowed``, ``AlreadyExists``, ``InvalidValue``.
        """
        policy.demand(caller, ADMIN, "create users")
        demand_name(kinds.USER, user.name)
        hashed = await self._hash(password) if password is not None else ""
        return await self._changes.write(_create, caller, evolve(user, id=new_id()), hashed)

    async def update(self, caller: Caller, id: str, changes: dict[str, Any]) -> User:
        """Set any of ``name``, ``email``, ``description``, ``enabled``, ``default_project_id``, ``password``.

        A new password, and disabling, void the user's tokens. Raises ``NotAllowed``, ``NotFound``, ``AlreadyExists``.
        """
        policy.demand(caller, ADMIN, "change users")
        if "name" in changes:
            demand_name(kinds.USER, changes["name"])
        columns = dict(changes)
        if "password" in columns:
            columns["password_hash"] = await self._hash(columns.pop("password"))
        return await self._changes.write(_update, caller, id, columns)

    async def change_password(self, caller: Caller, id: str, original: str, password: str) -> None:
        """A user sets another password, knowing the present one; all tokens got before are void.

        Raises ``NotFound`` for another user, ``NotAuthenticated`` for a wrong original.
        """
        if caller.user_id != id:
            raise errors.NotFound(kinds.USER, id)
        demand_person(caller, "change the password")
        if not await self._passwords.matches((await self._found(id)).password_hash, original):
            raise refused()
        hashed = await self._hash(password)
        await self._changes.write(_update, caller, id, {"password_hash": hashed})

    async def delete(self, caller: Caller, id: str) -> None:
        """End one, with all its credentials and key pairs; raises ``NotAllowed``, ``NotFound``."""
        policy.demand(caller, ADMIN, "delete users")
        await self._changes.write(_delete, caller, id)

    async def _found(self, id: str) -> store.UserSecrets:
        found = await self._database.read(store.user_by_id, id)
        if found is None:
            raise errors.NotFound(kinds.USER, id)
        return found

    async def _hash(self, password: str) -> str:
        if not 1 <= len(password) <= MAX_PASSWORD:
            raise errors.InvalidValue("password", f"it must have 1 to {MAX_PASSWORD} characters.")
        return await self._passwords.hash(password)


def ensure(tx: Transaction, caller: Caller, user: User, password_hash: str) -> User:
    """The user of this name, made when there is none; a standing one keeps its password. For bootstrapping."""
    found = store.user_by_name(tx, user.name)
    return found.user if found else _create(tx, caller, evolve(user, id=new_id()), password_hash)


def _create(tx: Transaction, caller: Caller, asked: User, password_hash: str) -> User:
    if store.user_by_name(tx, asked.name) is not None:
        raise errors.AlreadyExists(kinds.USER, asked.name)
    _demand_project(tx, asked.default_project_id)
    user = evolve(asked, created_at=tx.now)
    store.add_user(tx, user, password_hash)
    note(tx, caller, kinds.USER, user.id, "create")
    return user


def _update(tx: Transaction, caller: Caller, id: str, columns: dict[str, Any]) -> User:
    namesake = store.user_by_name(tx, columns["name"]) if "name" in columns else None
    if namesake is not None and namesake.user.id != id:
        raise errors.AlreadyExists(kinds.USER, namesake.user.name)
    _demand_project(tx, columns.get("default_project_id", ""))
    if "password_hash" in columns or columns.get("enabled") is False:
        columns = {**columns, "valid_after": tx.now}
    if not store.change_user(tx, id, columns):
        raise errors.NotFound(kinds.USER, id)
    note(tx, caller, kinds.USER, id, "update")
    changed = store.user_by_id(tx, id)
    assert changed is not None
    return changed.user


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    if not store.remove_user(tx, id):
        raise errors.NotFound(kinds.USER, id)
    keypairs.remove_all(tx, id)
    note(tx, caller, kinds.USER, id, "delete")


def _demand_project(tx: Transaction, id: str) -> None:
    if id and store.project_by_id(tx, id) is None:
        raise errors.InvalidValue("default_project_id", f"there is no project {id}.")
