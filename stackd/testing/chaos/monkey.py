"""The monkey: at random moments it breaks a random piece of a site, several at a time, and mends it a little later.

Everything comes from one seed and is written into the journal. :meth:`Monkey.join` mends all that is still broken.
"""

import heapq
import random
import threading
import time
from collections.abc import Callable
from itertools import count

from attrs import field, frozen

from stackd.testing.chaos.journal import Journal


@frozen
class Mischief:
    """One way to break one thing: ``begin`` breaks, ``mend`` makes it whole again after at most ``lasting`` seconds.

    Two that share a word of ``touches`` are never under way at once. ``begin`` gives words for the journal, or None
    when there was nothing to break.
    """

    kind: str
    weight: float
    touches: frozenset[str]
    begin: Callable[[], str | None]
    mend: Callable[[], object]
    lasting: float = 20.0
    counted: tuple[str, ...] = field(default=())
    """Further words it is counted by."""


@frozen(kw_only=True)
class Temper:
    """How wild it is."""

    pause: float = 6.0
    """Seconds between two mischiefs, on average."""
    most: int = 3
    """So many at a time."""


class Monkey:
    """Does mischief in a thread of its own."""

    def __init__(self, mischiefs: Callable[[random.Random], list[Mischief]], journal: Journal, seed: int,
                 temper: Temper) -> None:
        """``mischiefs`` gives what could be done now, with what is broken already still among it."""
        self._random = random.Random(f"{seed}-monkey")
        self._mischiefs = mischiefs
        self._journal = journal
        self._temper = temper
        self._stop = threading.Event()
        self._agenda: list[tuple[float, int, Mischief]] = []
        self._numbers = count()
        self._thread = threading.Thread(target=self._live, name="monkey", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """No more; all is mended when this returns."""
        self._stop.set()
        self._thread.join()

    def _live(self) -> None:
        next_at = time.monotonic() + self._random.expovariate(1 / self._temper.pause)
        while not self._stop.is_set():
            soonest = min([next_at, *(at for at, _, _ in self._agenda[:1])])
            self._stop.wait(max(0.0, soonest - time.monotonic()))
            self._mend_until(time.monotonic())
            if time.monotonic() >= next_at and not self._stop.is_set():
                self._break_something()
                next_at = time.monotonic() + self._random.expovariate(1 / self._temper.pause)
        self._mend_until(float("inf"))

    def _break_something(self) -> None:
        broken = frozenset[str]().union(*(mischief.touches for _, _, mischief in self._agenda))
        free = [mischief for mischief in self._mischiefs(self._random) if not mischief.touches & broken]
        if not free or len(self._agenda) >= self._temper.most:
            return
        chosen = self._random.choices(free, [mischief.weight for mischief in free])[0]
        lasting = self._random.uniform(0.0, chosen.lasting)
        words = self._tried(chosen, "begin", chosen.begin)
        if words is not None:
            self._journal.note("mischief", chosen.kind, *chosen.counted, what=words, lasting=round(lasting, 1))
            heapq.heappush(self._agenda, (time.monotonic() + lasting, next(self._numbers), chosen))

    def _mend_until(self, moment: float) -> None:
        while self._agenda and self._agenda[0][0] <= moment:
            _, _, mischief = heapq.heappop(self._agenda)
            self._tried(mischief, "mend", mischief.mend)
            self._journal.note("mended", mischief.kind, touches=sorted(mischief.touches))

    def _tried(self, mischief: Mischief, what: str, act: Callable[[], object]) -> object:
        try:
            return act()
        except Exception as error:
            self._journal.note("monkey-failed", mischief.kind, what, said=repr(error))
            return None
