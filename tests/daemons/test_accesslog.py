"""The access log gathers lines and writes them together."""

import io
import json

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from stackd.daemons.accesslog import MOST, PERIOD, AccessLog
from stackd.daemons.logging import observer


def written(clock: Clock, count: int, seconds: float) -> list[dict[str, object]]:
    """The lines in the log after so many requests and so much time."""
    stream = io.StringIO()
    sees = observer(stream)
    globalLogPublisher.addObserver(sees)
    try:
        log = AccessLog(clock)
        for number in range(count):
            log({"path": f"/{number}"})
        clock.advance(seconds)
    finally:
        globalLogPublisher.removeObserver(sees)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_are_written_once_a_second(clock: Clock) -> None:
    """One a request, in order, each JSON of its own."""
    assert [line["path"] for line in written(clock, 3, PERIOD)] == ["/0", "/1", "/2"]


def test_nothing_is_written_before(clock: Clock) -> None:
    """Writing costs, once for many is cheap."""
    assert written(clock, 3, PERIOD / 2) == []


def test_many_do_not_wait(clock: Clock) -> None:
    """Memory is bounded."""
    assert len(written(clock, MOST, 0)) == MOST
