"""Times as Nova writes them; ``isoformat`` is quicker than ``strftime``, and a page has thousands of them."""

from datetime import UTC, datetime


def moment(at: float) -> str:
    """A time with its zone, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat()[:19] + "Z"


def fine_moment(at: float | None) -> str | None:
    """A time without its zone, to the microsecond."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")[:26]
