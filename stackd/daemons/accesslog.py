"""The access log: one JSON line a request, gathered and written together, in the same stream as all other lines.

``endpoints`` hands it to every site. What is secret never comes here: ``api/sites.py`` leaves it out.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

PERIOD = 1.0
MOST = 1000

log = Logger()


class AccessLog:
    """Gathers lines for a second; ``daemons/logging.py`` writes them as they are."""

    def __init__(self, clock: IReactorTime) -> None:
        """Nothing is gathered yet."""
        self._clock = clock
        self._lines: list[bytes] = []
        self._due: IDelayedCall | None = None

    def __call__(self, told: Mapping[str, Any]) -> None:
        """Add the line of one request."""
        self._lines.append(orjson.dumps(
            {"ts": round(self._clock.seconds(), 3), "level": "info", "logger": "access", **told},
            option=orjson.OPT_APPEND_NEWLINE))
        if len(self._lines) >= MOST:
            self.write()
        elif self._due is None:
            self._due = self._clock.callLater(PERIOD, self.write)

    def write(self) -> None:
        """Write what was gathered."""
        lines, self._lines = self._lines, []
        due, self._due = self._due, None
        if due is not None and due.active():
            due.cancel()
        if lines:
            log.info("{count} requests", count=len(lines), json_lines=b"".join(lines).decode())
