"""The time all daemons judge by: the database server's, so that their own clocks need not agree.

A daemon asks for it now and then, and goes by its own clock meanwhile. ``store.database`` gives each transaction its
time by it; a file of sqlite has no time but the process'.
"""

from sqlalchemy import Connection, text
from twisted.logger import Logger

from stackd.interfaces.clock import Clock

log = Logger()
ASKED_EVERY = 60.0
WORTH_A_LINE = 2.0
"""Seconds by which the clocks differ; the docs ask for less than five between hosts."""
_QUESTIONS = {"postgresql": text("SELECT extract(epoch FROM clock_timestamp())"),
              "mariadb": text("SELECT unix_timestamp(sysdate(6))"), "mysql": text("SELECT unix_timestamp(sysdate(6))")}


class DatabaseTime:
    """Seconds since the epoch as the database has them."""

    def __init__(self, clock: Clock, follow: bool) -> None:
        """Without ``follow`` it is the time of ``clock``, whatever the database says."""
        self._clock = clock
        self._follow = follow
        self._ahead = 0.0
        self._ask_at = float("-inf")

    def now(self) -> float:
        """As far as is known; of any thread."""
        return self._clock.seconds() + self._ahead

    def keep(self, connection: Connection) -> None:
        """Ask again when it is time; in any transaction, of any thread."""
        before = self._clock.seconds()
        question = _QUESTIONS.get(connection.dialect.name)
        # A clock that was set back must not keep us from asking.
        if question is None or not self._follow or self._ask_at - ASKED_EVERY <= before < self._ask_at:
            return
        there = float(connection.execute(question).scalar_one())
        after = self._clock.seconds()
        ahead = there - (before + after) / 2
        if abs(ahead - self._ahead) > WORTH_A_LINE:
            log.warn("The database's clock is {seconds} s ahead of this machine's", seconds=round(ahead, 1))
        self._ahead, self._ask_at = ahead, after + ASKED_EVERY
