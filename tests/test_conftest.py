"""The net under all tests catches what it must."""

from twisted.internet.defer import fail
from twisted.logger import LogEvent


def test_a_failure_nobody_handles_is_noticed(lost_failures: list[LogEvent]) -> None:
    """A Deferred that is let go with its failure."""
    fail(ValueError("lost"))
    assert [event["log_failure"].getErrorMessage() for event in lost_failures] == ["lost"]
    lost_failures.clear()
