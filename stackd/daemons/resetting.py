"""``stackd reset``: the running cloud is as new within a second, for test suites that use stackd as their cloud.

The sqlite database is kept as it was when the cloud was new; a reset puts that copy back under a new incarnation,
and the fake hosts are made anew. Credentials and issued tokens stay good.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from stackd.daemons.parts import Parts
from stackd.store import hosts
from stackd.store.copies import copy, file_of

FILE = "pristine.db"


class Resetting:
    """Keeps the pristine copy and puts it back."""

    def __init__(self, parts: Parts, pause: Callable[[], Awaitable[None]],
                 resume: Callable[[], Awaitable[None]]) -> None:
        """``pause`` stops every worker, ``resume`` starts new ones."""
        self._parts = parts
        self._pause = pause
        self._resume = resume
        self._live = file_of(parts.config.database.url)
        self._pristine = Path(parts.state) / FILE

    async def keep_pristine(self) -> None:
        """Copy the database of a cloud that has just been made; a copy that is there stays."""
        if self._live and not self._pristine.exists():
            await self._parts.threads.run(copy, self._live, str(self._pristine))

    async def reset(self) -> None:
        """Put the copy back."""
        await self._pause()
        # The writer's own thread: no transaction of ours can be under way meanwhile.
        await self._parts.database.alone(copy, str(self._pristine), self._live)
        await self._parts.database.write(hosts.renew_incarnation)
        self._parts.identity.forget_cached()
        await self._resume()
