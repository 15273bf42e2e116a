"""The sweep: removes bytes nobody needs any more, and puts back uploads whose process died.

Of the store it removes only what has a key of the image service's own making, and what broken writes left.

The image daemon calls it every now and then, and once at start. Each step is idempotent and guarded by the rows, so any
number of daemons may sweep at once.
"""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from stackd import errors
from stackd.imageservice.content import PROGRESS_SECONDS
from stackd.imageservice.keys import is_key
from stackd.interfaces.clock import Clock
from stackd.interfaces.imageservice import IUploads
from stackd.interfaces.imagestore import IImageStore

log = Logger()
GRACE_SECONDS = 3600.0
INTERVAL_SECONDS = 60.0
_ASKED = 1000
"""Keys asked for at a time."""
STALL_SECONDS = 10 * PROGRESS_SECONDS


class Sweep:
    """One round is :meth:`once`."""

    def __init__(self, uploads: IUploads, store: IImageStore, grace: float = GRACE_SECONDS,
                 stall: float = STALL_SECONDS) -> None:
        """``uploads`` is the registry.

        ``grace`` is how long bytes outlive their image in any case, ``stall`` how long an upload may make no
        progress, both in seconds.
        """
        self._uploads = uploads
        self._store = store
        self._grace = grace
        self._stall = stall

    async def once(self) -> int:
        """One round; how many byte keys were removed."""
        await self._uploads.give_up_stalled(self._stall)
        removed = await self._remove_deleted() + await self._remove_orphans()
        await self._store.sweep()
        return removed

    async def _remove_deleted(self) -> int:
        removed = 0
        for image_id, key in await self._uploads.removable(self._grace):
            if await self._removed(key):
                await self._uploads.forget_bytes(image_id)
                removed += 1
        return removed

    async def _remove_orphans(self) -> int:
        # Read the keys first: an upload's row is there before its key is.
        keys = [key for key in await self._store.keys() if is_key(key)]
        removed = 0
        for start in range(0, len(keys), _ASKED):
            part = keys[start:start + _ASKED]
            used = await self._uploads.keys_in_use(part)
            for key in part:
                if key not in used and await self._removed(key):
                    log.info("removed bytes {key} that belong to no image", key=key)
                    removed += 1
        return removed

    async def _removed(self, key: str) -> bool:
        """Remove the bytes; False when the store could not, which hinders no others."""
        try:
            await self._store.delete(key)
        except errors.DriverFailure as error:
            log.warn("bytes {key} could not be removed, it is tried again: {error}", key=key, error=str(error))
            return False
        return True


class SweepService(Service):
    """Sweeps at start and from then on at an interval; a round that fails is logged, the next one tries again."""

    def __init__(self, sweep: Sweep, clock: Clock, interval: float = INTERVAL_SECONDS) -> None:
        """``interval`` in seconds, from the end of a round."""
        self._loop = LoopingCall(lambda: ensureDeferred(sweep.once()).addErrback(_note))
        self._loop.clock = clock  # type: ignore[assignment]
        self._interval = interval
        self._ended: Deferred[Any] = succeed(None)

    def startService(self) -> None:
        """Begin with a round."""
        super().startService()
        self._ended = self._loop.start(self._interval)

    def stopService(self) -> "Deferred[Any]":
        """Fires when the round that runs has ended."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return self._ended


def _note(failure: Failure) -> None:
    if failure.check(errors.StackdError):
        log.warn("image bytes could not be swept, it is tried again: {error}", error=failure.getErrorMessage())
    else:
        log.failure("sweeping image bytes failed, it is tried again", failure=failure)
