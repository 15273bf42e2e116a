"""Tags on everything but instances (whose metadata are their tags); EC2's use cases of tags.

The caller's API has resolved the ids, so the caller may see the resources. Tags of a resource that is gone are
shown to nobody, because lists of tags are made from lists of resources.
"""

from collections.abc import Iterable, Mapping, Sequence

from stackd import errors
from stackd.model.callers import MEMBER, READER, Caller
from stackd.model.tags import Tag
from stackd.rules import policy
from stackd.store import tags as store
from stackd.store.database import Database, Transaction

MAX_TAGS = 50
MAX_KEY, MAX_VALUE = 127, 255


class Tags:
    """A project's words on its networks, groups, images and so on."""

    def __init__(self, database: Database) -> None:
        """Everything is in ``database``."""
        self._database = database

    async def list(self, caller: Caller, kind: str | None = None,
                   resource_ids: Iterable[str] | None = None) -> tuple[Tag, ...]:
        """The project's tags, sorted by resource and key; None means no condition."""
        policy.demand(caller, READER, "list tags")
        return await self._database.read(store.of_project, caller.project_id, kind, resource_ids)

    async def put(self, caller: Caller, resources: Sequence[tuple[str, str]], entries: Mapping[str, str]) -> None:
        """Set ``entries`` on each (kind, id); raises ``InvalidValue`` and ``QuotaExceeded`` (50 a resource)."""
        policy.demand(caller, MEMBER, "create tags")
        check(entries)
        await self._database.write(_put, caller.project_id, tuple(resources), entries)

    async def remove(self, caller: Caller, resource_ids: Sequence[str],
                     wanted: Mapping[str, str | None] | None) -> None:
        """Remove tags by key, where a value is given only with that value; None removes all."""
        policy.demand(caller, MEMBER, "delete tags")
        await self._database.write(_remove, caller.project_id, tuple(resource_ids), wanted)


def check(entries: Mapping[str, str]) -> None:
    """Raise ``InvalidValue`` for keys or values outside their limits, or of AWS's own."""
    for key, value in entries.items():
        if not 1 <= len(key) <= MAX_KEY:
            raise errors.InvalidValue("Tag.Key", f"it must have 1 to {MAX_KEY} characters.")
        if key.lower().startswith("aws:"):
            raise errors.InvalidValue("Tag.Key", f"{key!r}: keys beginning with aws: are reserved.")
        if len(value) > MAX_VALUE:
            raise errors.InvalidValue("Tag.Value", f"it must have at most {MAX_VALUE} characters.")


def _put(tx: Transaction, project_id: str, resources: tuple[tuple[str, str], ...], entries: Mapping[str, str]) -> None:
    held: dict[str, set[str]] = {id: set(entries) for _, id in resources}
    for tag in store.of_project(tx, project_id, resource_ids=held):
        held[tag.resource_id].add(tag.key)
    for keys in held.values():
        if len(keys) > MAX_TAGS:
            raise errors.QuotaExceeded("metadata_items", MAX_TAGS, len(keys) - len(entries), len(entries))
    store.put(tx, project_id, resources, entries)


def _remove(tx: Transaction, project_id: str, resource_ids: tuple[str, ...],
            wanted: Mapping[str, str | None] | None) -> None:
    for id in resource_ids:
        store.remove(tx, project_id, id, wanted)
