"""Logs as JSON lines: ``{ts, level, logger, msg, request_id, fields}``, one line an event.

``twistd --logger stackd.daemons.logging.to_stdout`` uses it; ``stackd cloud`` calls :func:`begin`.
The request id is a key of its own, so that one grep shows a launch through all daemons.
"""

import sys
from collections.abc import Iterator
from typing import Any, TextIO

import orjson
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

MASK = "***"
WHOLE = 4096 // 2
"""Characters; with some of two bytes that is what a pipe takes in one piece."""
READY_LINES = "json_lines"
"""The key of an event that carries lines of JSON, as the access log does."""
SECRET_WORDS = ("password", "secret", "token", "private_key")
# Keys that Twisted's own callers put into events: they say again what the message says.
_TWISTED = {"message", "time", "system", "format", "isError", "why", "failure", "request_id"}


@implementer(ILogObserver)
class JsonLines:
    """Writes each event as one line and flushes it, so that the last words of a killed process are not lost."""

    def __init__(self, stream: TextIO) -> None:
        """``stream`` takes text."""
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        """Write one event, or the lines it brings along."""
        for piece in pieces(event.get(READY_LINES) or line(event)):
            self._stream.write(piece)
            self._stream.flush()


def pieces(lines: str) -> Iterator[str]:
    """Whole lines, as many together as a pipe takes at once: workers that share one do not mix theirs."""
    begin = 0
    while len(lines) - begin > WHOLE:
        end = lines.rfind("\n", begin, begin + WHOLE) + 1 or lines.index("\n", begin) + 1
        yield lines[begin:end]
        begin = end
    if begin < len(lines):
        yield lines[begin:]


def line(event: LogEvent) -> str:
    """The event as one line of JSON."""
    record = {
        "ts": round(event.get("log_time", 0.0), 6),
        "level": getattr(event.get("log_level"), "name", "info"),
        "logger": event.get("log_namespace", "-"),
        "msg": formatEvent(event),
        "request_id": event.get("request_id", ""),
        "fields": fields(event),
    }
    return orjson.dumps(record, default=repr, option=orjson.OPT_NON_STR_KEYS).decode() + "\n"


def fields(event: LogEvent) -> dict[str, Any]:
    """What the caller gave beside the message; secrets masked by their names; a failure with its traceback."""
    found = {
        name: MASK if any(word in name for word in SECRET_WORDS) else value
        for name, value in event.items()
        if not name.startswith("log_") and name not in _TWISTED
    }
    failure = event.get("log_failure")
    if failure is not None:
        found["error"] = f"{failure.type.__name__}: {failure.getErrorMessage()}"
        found["traceback"] = failure.getTraceback()
    return found


_kept = LogLevelFilterPredicate()
"""What this process keeps; its logs begin before its configuration is read."""


def keep(level: str) -> None:
    """From now on this process keeps events at ``level`` (``debug``, ``info``, ``warn``, ``error``) and above."""
    _kept.setLogLevelForNamespace("", LogLevel.lookupByName(level))


def to_stdout() -> ILogObserver:
    """An observer of what this process keeps, for ``twistd --logger``."""
    return FilteringLogObserver(JsonLines(sys.stdout), [_kept])


def observer(stream: TextIO, level: str = "info") -> ILogObserver:
    """JSON lines of the events at ``level`` and above."""
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.lookupByName(level))
    return FilteringLogObserver(JsonLines(stream), [predicate])


def begin(stream: TextIO, level: str = "info") -> None:
    """Send all logs of this process to ``stream``; standard output stays free for people."""
    globalLogBeginner.beginLoggingTo([observer(stream, level)], redirectStandardIO=False)


def begin_daemon() -> None:
    """Send all that this process keeps, and what its libraries print, to standard output."""
    globalLogBeginner.beginLoggingTo([to_stdout()])
