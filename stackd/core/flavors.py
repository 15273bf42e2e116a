"""Flavors as both APIs see them: everybody reads the public ones, admins make and delete them."""

from stackd import errors
from stackd.model import kinds
from stackd.model.callers import ADMIN, Caller
from stackd.model.flavors import Flavor
from stackd.rules import policy
from stackd.rules.flavors import DEFAULTS
from stackd.store import events
from stackd.store import flavors as store
from stackd.store.database import Database, Transaction


def seed(tx: Transaction) -> None:
    """Insert the default flavors into a database that has no flavors; one an admin deleted stays deleted."""
    if not store.all_flavors(tx, public_only=False):
        store.add(tx, DEFAULTS)


class Flavors:
    """The sizes a cloud offers. Flavors that are not public are shown to admins only."""

    def __init__(self, database: Database) -> None:
        """Everything is in ``database``."""
        self._database = database

    async def list(self, caller: Caller) -> tuple[Flavor, ...]:
        """All the caller may use, smallest first."""
        return await self._database.read(store.all_flavors, public_only=not caller.is_admin)

    async def get(self, caller: Caller, id: str) -> Flavor:
        """One by id; raises ``NotFound``."""
        return _visible(caller, id, await self._database.read(store.by_id, id))

    async def by_name(self, caller: Caller, name: str) -> Flavor:
        """One by its name, EC2's instance type; raises ``NotFound``."""
        return _visible(caller, name, await self._database.read(store.by_name, name))

    async def create(self, caller: Caller, flavor: Flavor) -> Flavor:
        """Add one; raises ``NotAllowed``, ``AlreadyExists`` for a taken id or name, ``InvalidValue``."""
        policy.demand(caller, ADMIN, "create flavors")
        _check(flavor)
        return await self._database.write(_create, caller, flavor)

    async def delete(self, caller: Caller, id: str) -> None:
        """Remove one; instances launched with it keep their size. Raises ``NotAllowed``, ``NotFound``."""
        policy.demand(caller, ADMIN, "delete flavors")
        await self._database.write(_delete, caller, id)


def _visible(caller: Caller, asked: str, flavor: Flavor | None) -> Flavor:
    if flavor is None or not (flavor.public or caller.is_admin):
        raise errors.NotFound(kinds.FLAVOR, asked)
    return flavor


def _check(flavor: Flavor) -> None:
    for field, least in (("vcpus", 1), ("memory_mib", 1), ("disk_gib", 0)):
        if not least <= getattr(flavor, field) <= 2**31 - 1:
            raise errors.InvalidValue(field, f"it must be between {least} and {2**31 - 1}.")
    for field in ("id", "name"):
        if not 1 <= len(getattr(flavor, field)) <= 255:
            raise errors.InvalidValue(field, "it must have 1 to 255 characters.")


def _create(tx: Transaction, caller: Caller, flavor: Flavor) -> Flavor:
    if (taken := store.clash(tx, flavor.id, flavor.name)) is not None:
        raise errors.AlreadyExists(kinds.FLAVOR, flavor.name if taken.name == flavor.name else flavor.id)
    store.add(tx, [flavor])
    events.record(tx, kinds.FLAVOR, flavor.id[:64], caller.project_id, "create", caller.user_id, caller.request_id)
    created = store.by_id(tx, flavor.id)
    assert created is not None
    return created


def _delete(tx: Transaction, caller: Caller, id: str) -> None:
    if not store.remove(tx, id):
        raise errors.NotFound(kinds.FLAVOR, id)
    events.record(tx, kinds.FLAVOR, id[:64], caller.project_id, "delete", caller.user_id, caller.request_id)
