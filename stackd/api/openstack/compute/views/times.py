"""Times as Nova writes them."""

from datetime import UTC, datetime


def moment(at: float) -> str:
    """A time with its zone, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fine_moment(at: float | None) -> str | None:
    """A time without its zone, to the microsecond."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
