"""The sweep: removes bytes nobody needs any more, and puts back uploads whose process died.

The image daemon calls it every now and then, and once at start. Each step is idempotent and guarded by the rows, so any
number of daemons may sweep at once.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from stackd import errors
from stackd.imageservice.content import PROGRESS_SECONDS
from stackd.interfaces.clock import Clock
from stackd.interfaces.imagestore import IImageStore
from stackd.store import images
from stackd.store.database import Database, Transaction

log = Logger()
Keepers = Callable[[Collection[str]], Awaitable[Collection[str]]]
GRACE_SECONDS = 3600.0
INTERVAL_SECONDS = 60.0
STALL_SECONDS = 10 * PROGRESS_SECONDS


async def nobody(image_ids: Collection[str]) -> Collection[str]:
    """The keepers of an image service on its own: no instance needs any of them."""
    return ()


class Sweep:
    """One round is :meth:`once`."""

    def __init__(self, database: Database, store: IImageStore, keepers: Keepers = nobody,
                 grace: float = GRACE_SECONDS, stall: float = STALL_SECONDS) -> None:
        """``keepers(ids)`` gives those of the deleted images whose bytes an unbuilt instance still needs.

        ``grace`` is how long bytes outlive their image in any case, ``stall`` how long an upload may make no
        progress, both in seconds.
        """
        self._database = database
        self._store = store
        self._keepers = keepers
        self._grace = grace
        self._stall = stall

    async def once(self) -> int:
        """One round; how many byte keys were removed."""
        await self._database.write(_put_back, self._stall)
        return await self._remove_deleted() + await self._remove_orphans()

    async def _remove_deleted(self) -> int:
        doomed = await self._database.read(_doomed, self._grace)
        kept = await self._keepers([image_id for image_id, _ in doomed]) if doomed else ()
        gone = [(image_id, key) for image_id, key in doomed if image_id not in kept]
        for image_id, key in gone:
            await self._store.delete(key)
            await self._database.write(images.forget_bytes, image_id)
        return len(gone)

    async def _remove_orphans(self) -> int:
        # Read the keys first: an upload's row is there before its key is.
        keys = await self._store.keys()
        used = await self._database.read(images.keys_in_use, keys)
        orphans = [key for key in keys if key not in used]
        for key in orphans:
            await self._store.delete(key)
            log.info("removed bytes {key} that belong to no image", key=key)
        return len(orphans)


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


def _put_back(tx: Transaction, stall: float) -> None:
    for image_id, key in images.stalled_uploads(tx, tx.now - stall):
        images.give_up_upload(tx, image_id, key)


def _doomed(tx: Transaction, grace: float) -> tuple[tuple[str, str], ...]:
    return images.doomed(tx, tx.now - grace)
