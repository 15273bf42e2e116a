"""When a guest that was paused is let go on: soon at first, then ever more seldom.

QEMU pauses a guest whose disk has no room on its host any more. Let go on it tries its write again, and pauses again
while there is no room; cutting its power would lose what it has in memory. The compute worker asks.
"""

from attrs import mutable

FIRST = 10.0
MOST = 300.0
"""Seconds paused before a first and before a later try. What ran that long between begins with the first again."""


@mutable(eq=False)
class Resuming:
    """The tries of one guest; times in epoch seconds."""

    tries: int = 0
    tried_at: float = float("-inf")
    due: float | None = None

    def left(self, now: float) -> float:
        """How many seconds the guest, which is paused, is still left alone."""
        # What is due later than it could be was reckoned before the clock was set back.
        if self.due is None or self.due > now + MOST:
            if now > self.tried_at + MOST:
                self.tries = 0
            self.due = now + min(MOST, FIRST * 2 ** self.tries)
        return max(0.0, self.due - now)

    def tried(self, now: float) -> None:
        """It is let go on."""
        self.tries, self.tried_at, self.due = self.tries + 1, now, None
