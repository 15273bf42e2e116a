"""A client that sends anything: no library between the test and the bytes of the request."""

import http.client
import json
import socket
from typing import Any

from attrs import frozen

SECONDS = 15.0


@frozen
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Wire:
    """One connection, kept as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        """Nothing is opened yet."""
        self.port = port
        self._connection: http.client.HTTPConnection | None = None

    def send(self, method: str, path: str, token: str | bytes = "", body: bytes | None = None,
             headers: dict[str, Any] | None = None) -> Answer:
        """Send one request, exactly so, and wait for its answer."""
        try:
            return self._send(method, path, token, body, headers or {})
        except (http.client.HTTPException, ConnectionError):
            self.close()  # the server may have closed a connection it kept long enough
            return self._send(method, path, token, body, headers or {})

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, token: str | bytes, body: bytes | None, headers: dict[str, Any]) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        wire = self._connection
        wire.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        if token:
            wire.putheader("X-Auth-Token", token)
        if body is not None:
            wire.putheader("Content-Length", str(len(body)))
            if "Content-Type" not in headers:
                wire.putheader("Content-Type", "application/json")
        for name, value in headers.items():
            wire.putheader(name, value)
        wire.endheaders(body)
        answer = wire.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def raw(port: int, sent: bytes, patience: float = SECONDS) -> bytes:
    """What comes back for these bytes until the server closes, or is silent for a moment."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as wire:
        wire.sendall(sent)
        wire.settimeout(0.2)
        received = b""
        try:
            while block := wire.recv(65536):
                received += block
        except (TimeoutError, ConnectionError):
            pass
        return received
