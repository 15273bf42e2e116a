"""What stands in the log files."""

import io
from typing import Any

import orjson
from twisted.logger import Logger
from twisted.python.failure import Failure

from stackd.daemons.logging import observer


def logged(level: str = "info") -> tuple[Logger, io.StringIO]:
    """A logger whose events are written to the text beside it."""
    text = io.StringIO()
    return Logger("stackd.core.instances", observer=observer(text, level)), text  # type: ignore[arg-type]


def lines(text: io.StringIO) -> list[dict[str, Any]]:
    """The lines parsed."""
    return [orjson.loads(line) for line in text.getvalue().splitlines()]


def test_one_line_with_the_request_id_and_the_fields() -> None:
    """So that one grep for a request id shows a launch."""
    log, text = logged()
    log.info("launched {count} of {wanted}", count=2, wanted=3, request_id="req-1")
    (line,) = lines(text)
    assert line.pop("ts") > 1_700_000_000
    assert line == {"level": "info", "logger": "stackd.core.instances", "msg": "launched 2 of 3",
                    "request_id": "req-1", "fields": {"count": 2, "wanted": 3}}


def test_secrets_are_masked() -> None:
    """By their names, whoever logs them."""
    log, text = logged()
    log.info("new key", secret="hunter2", admin_password="hunter3", name="x")
    assert lines(text)[0]["fields"] == {"secret": "***", "admin_password": "***", "name": "x"}
    assert "hunter" not in text.getvalue()


def test_what_is_no_json_is_written_as_python_shows_it() -> None:
    """A log line never fails for its fields."""
    log, text = logged()
    log.info("odd", thing=object, table={1: 2})
    assert lines(text)[0]["fields"] == {"thing": "<class 'object'>", "table": {"1": 2}}


def test_failures_keep_their_traceback() -> None:
    """The operator sees where."""
    log, text = logged()
    try:
        raise ValueError("broken")
    except ValueError:
        log.failure("went wrong", Failure())
    (line,) = lines(text)
    assert (line["level"], line["fields"]["error"]) == ("critical", "ValueError: broken")
    assert "test_logging.py" in line["fields"]["traceback"]


def test_less_important_events_are_left_out() -> None:
    """By the level of the configuration."""
    log, text = logged("warn")
    log.info("chatter")
    log.warn("trouble")
    assert [line["msg"] for line in lines(text)] == ["trouble"]


def test_lines_that_come_together_stay_whole() -> None:
    """Each is written in one piece, so that processes that share a pipe do not mix theirs."""
    written: list[str] = []

    class Pipe(io.StringIO):
        """Remembers the pieces."""

        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    lines = "".join(f'{{"n":{number}}}\n' for number in range(1000)) + "x" * 5000 + "\n"
    log = Logger("x", observer=observer(Pipe()))  # type: ignore[arg-type]
    log.info("access", json_lines=lines)
    assert "".join(written) == lines
    assert all(piece.endswith("\n") and (len(piece) <= 4096 or piece.count("\n") == 1) for piece in written)
    assert len(written) < 20
