"""Waiting with a deadline and with words, so that nobody wonders whether anything happens."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from stackd import errors

T = TypeVar("T")

INTERVAL = 0.5
NEWS_EVERY = 2.0


def say(words: str) -> None:
    """One line of progress, on the standard error output."""
    print(f"demo: {words}", file=sys.stderr, flush=True)


def wait_until(what: str, look: Callable[[], T | None], seconds: float) -> T:
    """What ``look`` gives as soon as it gives something; raises ``CallTimedOut`` after ``seconds``."""
    begun = told = time.monotonic()
    while True:
        found = look()
        now = time.monotonic()
        if found:
            say(f"{what}: {now - begun:.1f} s")
            return found
        if now - begun > seconds:
            raise errors.CallTimedOut(f"{what}: not within {seconds:.0f} s.",
                                      remedy="See cloud.log in the state folder.")
        if now - told >= NEWS_EVERY:
            told = now
            say(f"{what} ... {now - begun:.0f} s")
        time.sleep(INTERVAL)
