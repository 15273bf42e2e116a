"""What may go wrong on the way: a hook of the memory bus that loses, doubles, delays and reorders messages.

The crash suite hands one to :class:`stackd.bus.memory.MemoryBus`; without one every message arrives once and in order.
"""

import random
from enum import Enum
from typing import Protocol

from attrs import field, frozen


class Passage(Enum):
    """What is on its way."""

    WAKE = "wake"
    REPORT = "report"
    CALL = "call"
    REPLY = "reply"


class Disturbance(Protocol):
    """Decides the fate of each message."""

    def copies(self, passage: Passage, address: str) -> tuple[float, ...]:
        """For each copy that arrives, how many seconds late; ``(0.0,)`` is an undisturbed message, ``()`` a lost one.

        A lost report was never taken: its sender is told ``OutcomeUnknown``. A lost call or reply times out.
        """


ON_TIME = (0.0,)


@frozen(kw_only=True)
class RandomDisturbance:
    """Each message is lost, doubled or up to ``seconds`` late with the given probabilities; late ones are overtaken."""

    random: random.Random
    lose: float = 0.0
    double: float = 0.0
    late: float = 0.0
    seconds: float = 5.0
    passages: frozenset[Passage] = field(default=frozenset(Passage))
    """Those it touches."""

    def copies(self, passage: Passage, address: str) -> tuple[float, ...]:
        """Throw the dice."""
        if passage not in self.passages or self.random.random() < 1 - self.lose - self.double - self.late:
            return ON_TIME
        fate = self.random.random() * (self.lose + self.double + self.late)
        if fate < self.lose:
            return ()
        delay = self.random.random() * self.seconds
        return (0.0, delay) if fate < self.lose + self.double else (delay,)
