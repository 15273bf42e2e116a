"""What all parts of identity ask and do first: may the caller, and how a change is made and remembered."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from stackd import errors
from stackd.core.identity_cache import Cache
from stackd.model import kinds
from stackd.model.callers import Caller
from stackd.rules.admitting import host_of_user
from stackd.store import events
from stackd.store.database import Database, Transaction

P = ParamSpec("P")
T = TypeVar("T")


class Changes:
    """Writes to identity: one transaction, then the cache is emptied, whether it went well or not."""

    def __init__(self, database: Database, cache: Cache) -> None:
        """``cache`` is the one all of identity shares."""
        self._database = database
        self._cache = cache

    async def write(self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As ``Database.write``."""
        try:
            return await self._database.write(fn, *args, **kwargs)
        finally:
            self._cache.clear()


def demand_self(caller: Caller, user_id: str) -> None:
    """Raise ``NotFound`` unless the caller is that user or an admin: others are not even known to exist."""
    if caller.user_id != user_id and not caller.is_admin:
        raise errors.NotFound(kinds.USER, user_id)


def demand_person(caller: Caller, action: str) -> None:
    """Raise ``NotAllowed`` for an application credential and for a service: what leaks must not breed."""
    if caller.application_credential_id:
        raise errors.NotAllowed(f"An application credential may not {action}.", remedy="Use the user's password.")
    # A token of no project has no roles, by which services are known; hosts are known by their names, too.
    if caller.is_service or host_of_user(caller.user_name):
        raise errors.NotAllowed(f"A service may not {action}.", remedy="Ask an administrator to.")


def demand_name(kind: str, name: str) -> None:
    """Raise ``InvalidValue`` unless the name can be one."""
    if not name.strip() or len(name) > 255:
        raise errors.InvalidValue("name", f"the name of a {kind} must have 1 to 255 characters, not only spaces.")


def note(tx: Transaction, caller: Caller, kind: str, id: str, action: str, project_id: str = "") -> None:
    """Write the event of a change."""
    events.record(tx, kind, id[:64], project_id or caller.project_id, action, caller.user_id, caller.request_id)
