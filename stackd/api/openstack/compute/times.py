"""Times in queries."""

from datetime import UTC, datetime

from stackd import errors
from stackd.api.openstack.http import Call


def moment_of(call: Call, name: str) -> float | None:
    """A time that a query names, in epoch seconds; without a zone it is UTC."""
    text = call.arg(name)
    if text is None:
        return None
    try:
        # A plus that was not quoted has become a space.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise errors.InvalidValue(name, f"'{text}' is no ISO 8601 time") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
