"""The worker's end of fetching: says hello, fetches pages, keeps the version; the heartbeat of its host.

Fetching happens at the start, when woken, and each heartbeat; one at a time, and a wake during a fetch makes one
more. The rows themselves are kept by whoever ``take`` belongs to: the compute or the network worker.
"""

import random
from collections.abc import Awaitable, Callable

from attrs import evolve
from twisted.logger import Logger

from stackd.interfaces.assignments import IAssignments
from stackd.interfaces.clock import Clock
from stackd.model.assignments import Assignments, FetchRequest, Hello, Version
from stackd.reconcile.queue import QueueSettings, WorkQueue
from stackd.workers.settings import WorkerSettings

_log = Logger()
_KEY = "fetch"


class Assigned:
    """Keeps one worker's knowledge up to date; ``session`` is 0 until the first hello was answered."""

    def __init__(self, *, assignments: IAssignments, clock: Clock, randomness: random.Random, settings: WorkerSettings,
                 hello: Callable[[], Awaitable[Hello]], held: Callable[[], Awaitable[tuple[str, ...]]],
                 take: Callable[[Assignments], Awaitable[None]]) -> None:
        """``hello`` says who the worker is, ``held`` what its host really has.

        ``take`` gets all pages of one fetch put together; it is awaited, and called for every fetch.
        """
        self._assignments = assignments
        self._clock = clock
        self._settings = settings
        self._hello = hello
        self._held = held
        self._take = take
        self._queue = WorkQueue(clock, self._round, randomness, QueueSettings(
            concurrency=1, resync=0.0, backoff_first=settings.backoff_first, backoff_most=settings.backoff_most))
        self._said_held = float("-inf")
        self._who = Hello(host="", worker="")
        self.session = 0
        self.version = Version()

    def start(self) -> None:
        """Begin with hello and a full fetch."""
        self._queue.add(_KEY)
        self._queue.start()

    async def stop(self) -> None:
        """Fetch no more; waits for a fetch under way."""
        await self._queue.stop()

    def woken(self, within: float = 0.0) -> None:
        """Something was stamped for this host: fetch within so many seconds."""
        self._queue.add(_KEY, within)

    async def _round(self, key: str) -> float:
        if not self.session:
            self._who = await self._hello()
            self.session = await self._assignments.hello(self._who)
        now = self._clock.seconds()
        held = await self._held() if not 0 <= now - self._said_held < self._settings.resync else None
        fetched = await self._all_pages(held)
        if fetched.full and self.version.incarnation:
            # The cloud was restored from a backup: its count of sessions went back too.
            _log.warn("The cloud is a new incarnation; all that is assigned to {host} was fetched again",
                      host=self._who.host)
            self.session = await self._assignments.hello(self._who)
            held, self._said_held = None, float("-inf")  # what is younger than the backup is to be told of soon
        await self._take(fetched)
        self.version = fetched.version
        if held is not None:
            self._said_held = now
        return self._settings.heartbeat

    async def _all_pages(self, held: tuple[str, ...] | None) -> Assignments:
        """One fetch from first to last page; the version moves on only when all came."""
        pages: list[Assignments] = []
        known = self.version
        while not pages or pages[-1].more:
            pages.append(await self._assignments.fetch(FetchRequest(
                host=self._who.host, worker=self._who.worker, session=self.session, known=known, held=held,
                splits=True)))
            known, held = pages[-1].version, None
        return pages[0] if len(pages) == 1 else joined(pages)


def joined(pages: list[Assignments]) -> Assignments:
    """Pages of one fetch as one; of a row that is in several, the last one counts because it is taken last."""
    return evolve(
        pages[-1], full=any(page.full for page in pages),
        instances=tuple(one for page in pages for one in page.instances),
        ports=tuple(one for page in pages for one in page.ports),
        floating_ips=tuple(one for page in pages for one in page.floating_ips),
        groups=tuple(one for page in pages for one in page.groups),
        moved={id: epoch for page in pages for id, epoch in page.moved.items()},
        unknown=tuple(one for page in pages for one in page.unknown),
        ended=tuple(one for page in pages for one in page.ended))
