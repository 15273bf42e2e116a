"""The collapsing, delayed work queue that every owner reconciles with.

Keys collapse; a key is never reconciled twice at once, and a wake during its run makes exactly one more run; at most
``concurrency`` run at a time; errors back off with jitter; every known key comes round each ``resync`` seconds. A run
is over only when its Deferred has really fired. Nothing runs inside :meth:`WorkQueue.add`.
"""

import heapq
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen, mutable
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from stackd import errors
from stackd.interfaces.clock import Clock

_log = Logger()

Reconcile = Callable[[str], Awaitable[float | None]]
"""One round for a key; returns after how many seconds to come again, None: when woken or at resync."""


@frozen(kw_only=True)
class QueueSettings:
    """Seconds, and how many keys run at once; a ``resync`` of 0 never brings keys round by itself."""

    concurrency: int = 100
    resync: float = 60.0
    backoff_first: float = 0.5
    backoff_most: float = 30.0


@mutable(eq=False)
class _Entry:
    """What is known of one key; ``due`` is infinite while it is ready or running."""

    due: float = float("inf")
    ready: bool = False
    running: bool = False
    again: float = float("inf")
    """When to run once more, asked for during a run."""
    failures: int = 0
    forgotten: bool = False


NEVER = float("inf")
WORTH_MOVING = 1.0
"""Seconds by which a clock is set back; less is no harm."""


class WorkQueue:
    """Brings keys to ``reconcile``."""

    def __init__(self, clock: Clock, reconcile: Reconcile, randomness: random.Random,
                 settings: QueueSettings | None = None) -> None:
        """Nothing runs before :meth:`start`; keys may be added already."""
        self._clock = clock
        self._reconcile = reconcile
        self._random = randomness
        self._settings = settings or QueueSettings()
        self._entries: dict[str, _Entry] = {}
        self._ready: deque[str] = deque()
        self._timers: list[tuple[float, int, str]] = []
        self._counter = 0
        self._alarm: Any = None
        self._alarm_at = NEVER
        self._read = float("-inf")
        self._turn_comes = False
        self._started = False
        self._running = 0
        self._idle: Deferred[None] | None = None
        self.runs = 0
        """How many have ended."""
        self.failed = 0
        """How many of them by an error."""

    def __contains__(self, key: str) -> bool:
        """Whether the key is known, so that it comes round."""
        entry = self._entries.get(key)
        return entry is not None and not entry.forgotten

    def __len__(self) -> int:
        """How many keys are known."""
        return len(self._entries)

    @property
    def waiting(self) -> int:
        """How many keys could run now but wait for others to end."""
        return len(self._ready)

    @property
    def running(self) -> int:
        """How many keys run."""
        return self._running

    def add(self, key: str, delay: float = 0.0) -> None:
        """Reconcile the key after ``delay`` seconds at the latest; from now on it comes round."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
        entry.forgotten = False
        due = self._now() + delay
        if entry.running:
            entry.again = min(entry.again, due)
        elif not entry.ready:
            self._plan(key, entry, due, delay <= 0)

    def forget(self, key: str) -> None:
        """The key does not come round any more; what runs goes on."""
        entry = self._entries.get(key)
        if entry is None:
            return
        if entry.running:
            entry.forgotten, entry.again = True, NEVER
        else:
            if entry.ready:
                self._ready.remove(key)
            del self._entries[key]

    def start(self) -> None:
        """Begin to run."""
        self._started = True
        self._call_turn()

    async def stop(self) -> None:
        """Begin nothing more, and wait for what runs."""
        self._started = False
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, NEVER
        if self._running:
            self._idle = self._idle or Deferred()
            await self._idle

    # --- planning ---

    def _plan(self, key: str, entry: _Entry, due: float, now: bool) -> None:
        """Make the entry ready, or have it wait until ``due`` unless it is due earlier already."""
        if now:
            entry.due, entry.ready = NEVER, True
            self._ready.append(key)
            self._call_turn()
        elif due < entry.due:
            entry.due = due
            self._counter += 1
            heapq.heappush(self._timers, (due, self._counter, key))
            if self._started:
                self._set_alarm()

    def _now(self) -> float:
        now, before = self._clock.seconds(), self._read
        self._read = now
        self._set_back(before - now)
        return now

    def _set_back(self, seconds: float) -> None:
        """Where the clock was set back by so much, what was due in a while is due in a while still."""
        if seconds > WORTH_MOVING:
            for entry in self._entries.values():
                entry.due -= seconds
                entry.again -= seconds
            self._timers = [(due - seconds, number, key) for due, number, key in self._timers]
            self._alarm_at -= seconds

    def _set_alarm(self) -> None:
        """One delayed call for the earliest of all."""
        now = self._now()
        if not self._timers or self._timers[0][0] >= self._alarm_at:
            return
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm_at = self._timers[0][0]
        self._alarm = self._clock.callLater(max(0.0, self._alarm_at - now), self._ring)

    def _ring(self) -> None:
        now = self._now()
        self._set_back(self._alarm_at - now)  # it comes early only if the clock was set back, and it moved as well
        self._alarm, self._alarm_at = None, NEVER
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heapq.heappop(self._timers)
            entry = self._entries.get(key)
            # A timer that was overtaken by an earlier one is not the entry's any more.
            if entry is not None and entry.due == due and not entry.ready and not entry.running:
                self._plan(key, entry, due, True)
        self._set_alarm()

    # --- running ---

    def _call_turn(self) -> None:
        if self._started and not self._turn_comes:
            self._turn_comes = True
            self._clock.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        self._turn_comes = False
        if not self._started:
            return
        self._set_alarm()
        while self._ready and self._running < self._settings.concurrency:
            key = self._ready.popleft()
            entry = self._entries[key]
            entry.ready, entry.running, entry.again = False, True, NEVER
            self._running += 1
            Deferred.fromCoroutine(self._run(key, entry))

    async def _run(self, key: str, entry: _Entry) -> None:
        try:
            wanted = await self._reconcile(key)
            entry.failures = 0
        except Exception as error:
            entry.failures += 1
            self.failed += 1
            wanted = self._backoff(entry.failures)
            self._tell(key, entry, error, wanted)
        finally:
            self._running -= 1
            self.runs += 1
            entry.running = False
        self._finish(key, entry, wanted)

    def _finish(self, key: str, entry: _Entry, wanted: float | None) -> None:
        now = self._now()
        again = entry.again
        entry.again = NEVER
        if entry.forgotten:
            del self._entries[key]
        else:
            due = min(again, NEVER if wanted is None else now + wanted, now + self._round())
            if due != NEVER:
                self._plan(key, entry, due, due <= now)
        if self._ready:
            self._call_turn()
        if self._idle is not None and not self._running:
            idle, self._idle = self._idle, None
            idle.callback(None)

    def _round(self) -> float:
        """When the key comes round again; spread, so that a start or a storm does not repeat itself for ever."""
        return self._settings.resync * (0.75 + self._random.random() / 2) if self._settings.resync else NEVER

    def _backoff(self, failures: int) -> float:
        growing: float = self._settings.backoff_first * 2 ** min(failures - 1, 20)
        return min(self._settings.backoff_most, growing) * (0.5 + self._random.random())

    def _tell(self, key: str, entry: _Entry, error: Exception, wanted: float) -> None:
        if isinstance(error, errors.StackdError):
            _log.warn("{key}: {error}; again in {seconds:.1f} s (failure {failures})", key=key, error=str(error),
                      seconds=wanted, failures=entry.failures)
        else:
            _log.failure("{key} failed; again in {seconds:.1f} s (failure {failures})", key=key, seconds=wanted,
                         failures=entry.failures)
