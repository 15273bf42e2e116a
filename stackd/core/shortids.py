"""From EC2's ids to ours: ``i-`` and 17 digits to the 32 digits of the one row that begins with them.

Every EC2 action that takes ids calls it; a foreign resource is not found, as everywhere.
"""

import re
from collections.abc import Iterable, Sequence

from stackd import errors
from stackd.interfaces.images import IImages
from stackd.model import ids, kinds
from stackd.model.callers import Caller
from stackd.store import shortids as store
from stackd.store.database import Database, Transaction

ENDED_SHOWN = 3600.0
"""How many seconds EC2 still knows an instance that ended."""
_OLD_ID = re.compile(r"[a-z]+-[0-9a-f]{8}")


class ShortIds:
    """Resolves EC2's ids."""

    def __init__(self, database: Database, images: IImages) -> None:
        """``images`` finds image ids, which may live in a foreign Glance."""
        self._database = database
        self._images = images

    async def resolve(self, caller: Caller, kind: str, ec2_ids: Iterable[str]) -> dict[str, str]:
        """EC2 id -> 32-digit id, for each; raises ``MalformedId``, or ``NotFound`` naming all that are not there."""
        wanted = {text: self._digits(kind, text) for text in dict.fromkeys(ec2_ids)}
        ranges = [ids.id_range(digits) for digits in wanted.values() if digits]
        if kind == kinds.IMAGE:
            found = await self._images_within(caller, ranges)
        else:
            found = await self._database.read(_within, kind, ranges, caller) if ranges else []
        by_digits = {id[:ids.EC2_DIGITS]: id for id in found}
        missing = [text for text, digits in wanted.items() if digits not in by_digits]
        if missing:
            raise errors.NotFound(kind, ", ".join(missing))
        return {text: by_digits[digits] for text, digits in wanted.items()}

    async def one(self, caller: Caller, kind: str, ec2_id: str) -> str:
        """The 32-digit id of one."""
        return (await self.resolve(caller, kind, (ec2_id,)))[ec2_id]

    async def _images_within(self, caller: Caller, ranges: Sequence[tuple[str, str]]) -> list[str]:
        found = []
        for low, high in ranges:
            try:
                found.append((await self._images.find(caller, low, high)).id)
            except errors.NotFound:
                continue
        return found

    @staticmethod
    def _digits(kind: str, text: str) -> str:
        """The 17 digits; empty for an id of the old short form, which is well-formed but never ours."""
        parsed = ids.parse_ec2_id(text)
        prefix = ids.EC2_PREFIXES[kind]
        if parsed is not None and parsed[0] == prefix:
            return parsed[1]
        if _OLD_ID.fullmatch(text) and text.startswith(f"{prefix}-"):
            return ""
        raise errors.MalformedId(kind, text, remedy=f"Write it like {prefix}-0123456789abcdef0.")


def _within(tx: Transaction, kind: str, ranges: Sequence[tuple[str, str]], caller: Caller) -> list[str]:
    return store.within(tx, kind, ranges, None if caller.is_admin else caller.project_id, caller.user_id,
                        tx.now - ENDED_SHOWN)
