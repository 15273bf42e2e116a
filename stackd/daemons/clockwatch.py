"""What a daemon waits for comes in time though the clock of its machine is set back.

Twisted's timers are moments of that clock: set back by an hour, none of them would come for an hour. A thread of its
own, which no timer wakes, sees it and moves them all. ``plainparts`` and ``prefork`` start it in every process.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

log = Logger()
PAUSE = 0.5
"""Seconds between two looks. Timers set between the step and the look are moved too, and come too early."""
WORTH_MOVING = 1.0
"""Seconds: less is no harm."""


class ClockWatch:
    """Compares the reactor's clock with one that nobody sets."""

    def __init__(self, reactor: Any, steady: Callable[[], float] = time.monotonic) -> None:
        """Nothing is watched yet."""
        self._reactor = reactor
        self._steady = steady
        self._ended = threading.Event()
        self._ahead = reactor.seconds() - steady()

    def start(self) -> None:
        """Begin to watch."""
        self._ahead = self._reactor.seconds() - self._steady()
        threading.Thread(target=self._watch, name="clock", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(PAUSE):
            self.look()

    def look(self) -> None:
        """Have the timers moved when the clock was set back since the last look; of any thread."""
        ahead = self._reactor.seconds() - self._steady()
        back, self._ahead = self._ahead - ahead, ahead
        if back > WORTH_MOVING:
            self._reactor.callFromThread(self._set_back, back)

    def _set_back(self, seconds: float) -> None:
        calls = self._reactor.getDelayedCalls()
        for call in calls:
            call.delay(-seconds)
        log.warn("The clock of this machine was set back by {seconds} s; {count} timers were moved with it",
                 seconds=round(seconds, 1), count=len(calls))
