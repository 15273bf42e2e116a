"""The worker's mouth: what was observed goes out in batches of whatever is queued, the newest word of a row wins.

There is no timer: the first word leaves on the next turn, and what is said meanwhile goes with the next batch.
What was not confirmed is sent again, unless something newer was said of the row.
"""

import random
from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from stackd.interfaces.assignments import IAssignments
from stackd.interfaces.clock import Clock
from stackd.model.assignments import FloatingReport, InstanceReport, PortReport, Report
from stackd.reconcile.queue import QueueSettings, WorkQueue
from stackd.workers.settings import WorkerSettings

Word: TypeAlias = InstanceReport | PortReport | FloatingReport
BATCH = 100
"""Words of one report, which with long faults must stay below what the bus takes of a host."""
LAST_WORDS = 5.0
"""Seconds for which a worker that ends waits for its last report to be taken."""
_KEY = "report"
_log = Logger()


class Reporter:
    """Sends the reports of one worker in order."""

    def __init__(self, *, assignments: IAssignments, clock: Clock, randomness: random.Random, settings: WorkerSettings,
                 host: str, worker: str, session: Callable[[], int]) -> None:
        """``session`` gives the present session; nothing may be said before there is one."""
        self._assignments = assignments
        self._clock = clock
        self._host = host
        self._worker = worker
        self._session = session
        self._counter = 0
        self._words: dict[tuple[type, str], Word] = {}
        self._queue = WorkQueue(clock, self._round, randomness, QueueSettings(
            concurrency=1, resync=0.0, backoff_first=settings.backoff_first, backoff_most=settings.backoff_most))

    @property
    def waiting(self) -> int:
        """How many words are not confirmed yet and not under way."""
        return len(self._words)

    def start(self) -> None:
        """Begin to send."""
        self._queue.start()

    async def stop(self) -> None:
        """Send what was said last, unless nobody takes it soon, and then no more; the next look finds it again."""
        await self._queue.stop()
        while self._words and self._session():
            try:
                await Deferred.fromCoroutine(self._round(_KEY)).addTimeout(LAST_WORDS, self._clock)  # type: ignore[arg-type]
            except Exception as error:
                _log.warn("{count} observations are not reported before the end: {error}", count=len(self._words),
                          error=repr(error))
                return

    def say(self, word: Word) -> None:
        """Send this soon; it replaces what was said of the row before."""
        self._words[type(word), word.id] = word
        self._queue.add(_KEY)

    async def _round(self, key: str) -> float | None:
        batch = {row: self._words.pop(row) for row in sorted(self._words, key=lambda row: row[1])[:BATCH]}
        if not batch:
            return None
        self._counter += 1
        try:
            await self._assignments.report(self._report(list(batch.values())))
        except Exception:
            self._words = batch | self._words
            raise
        return 0.0 if self._words else None

    def _report(self, words: list[Word]) -> Report:
        return Report(
            host=self._host, worker=self._worker, session=self._session(), counter=self._counter,
            instances=tuple(word for word in words if isinstance(word, InstanceReport)),
            ports=tuple(word for word in words if isinstance(word, PortReport)),
            floating_ips=tuple(word for word in words if isinstance(word, FloatingReport)))
