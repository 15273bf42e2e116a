"""One HTTP request as a plain client makes it, and what became of it: accepted, refused, or nobody knows."""

import http.client
from collections.abc import Mapping
from enum import Enum
from urllib.parse import urlsplit

from attrs import frozen

PATIENCE = 45.0
"""How long a client waits for an answer; the API itself waits half a minute for a database that is away."""


class Outcome(Enum):
    """What a client knows of its request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The connection was lost, or the answer says that something is away: it may have happened."""


@frozen(kw_only=True)
class Answer:
    """The answer to one request; status 0 when there was none."""

    outcome: Outcome
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = {}

    @property
    def accepted(self) -> bool:
        """Whether it was done, or will be."""
        return self.outcome is Outcome.ACCEPTED

    @property
    def words(self) -> str:
        """The beginning of the body, for the journal."""
        return self.body[:300].decode(errors="replace")


def ask(method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE) -> Answer:
    """Ask over a connection of its own; never raises for what a broken cloud may do."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=patience)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, path or "/", body, dict(headers or {}))
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(outcome=Outcome.UNKNOWN, body=repr(error).encode())
    finally:
        connection.close()
    return Answer(outcome=_outcome(response.status), status=response.status, body=content,
                  headers={name.lower(): value for name, value in response.getheaders()})


def _outcome(status: int) -> Outcome:
    if status < 400:
        return Outcome.ACCEPTED
    return Outcome.REFUSED if status < 500 or status == 501 else Outcome.UNKNOWN
