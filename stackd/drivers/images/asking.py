"""Questions over HTTP with an end: every answer comes within a time limit and is of bounded size, or is an error.

``tokens.py`` asks the identity service through it, ``http.py`` the image service. Whatever is wrong with the network
or with the other side is ``Unavailable``; statuses below 500 are for the caller to read.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from attrs import field, frozen
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IConsumer
from twisted.web.client import RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from stackd import errors
from stackd.drivers.images.inflow import BodyLost, Inflow
from stackd.interfaces.clock import Clock

LARGEST = 64 << 20
"""Bytes of a JSON answer; a page of a thousand images has about two million."""
_BUSY = (429, 413)
_NETWORK = (OSError, ConnectError, ConnectionClosed, ResponseFailed, RequestTransmissionFailed, TimeoutError)


@frozen(kw_only=True)
class Answered:
    """One answer with its JSON value; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any = field(default=None, repr=False)


@frozen(kw_only=True)
class Opened:
    """An answer whose body has yet to be taken."""

    status: int
    headers: Mapping[str, str]
    inflow: Inflow


@implementer(IBodyProducer)
class _Bytes:
    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content = content

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        consumer.write(self._content)
        return succeed(None)

    def stopProducing(self) -> None:
        """It is out at once."""

    def pauseProducing(self) -> None:
        """It is out at once."""

    def resumeProducing(self) -> None:
        """It is out at once."""


class Asking:
    """Asks one service; ``name`` is how users know it, for example "The image service"."""

    def __init__(self, agent: Any, clock: Clock, patience: float, name: str) -> None:
        """``agent`` provides ``IAgent``; ``patience`` in seconds is for an answer's head and for each part of it."""
        self._agent = agent
        self._clock = clock
        self._patience = patience
        self._name = name

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: Any = None) -> Answered:
        """The whole answer; raises ``Unavailable``."""
        return await self.gathered(await self.open(method, url, headers, body))

    async def gathered(self, opened: Opened) -> Answered:
        """The rest of an answer; raises ``Unavailable``."""
        gathered = bytearray()
        try:
            while block := await opened.inflow.take():
                gathered += block
                if len(gathered) > LARGEST:
                    raise self.unavailable("its answer is too large")
        except BodyLost as error:
            raise self.unavailable(str(error)) from error
        finally:
            opened.inflow.stop()
        return Answered(status=opened.status, headers=opened.headers, body=self._value(opened.status, gathered))

    async def open(self, method: str, url: str, headers: Mapping[str, str], body: Any = None) -> Opened:
        """The head of the answer; its body is taken, or stopped, by the caller. Raises ``Unavailable``."""
        sent = Headers({name: [value] for name, value in headers.items()})
        content = None
        if body is not None:
            sent.setRawHeaders("Content-Type", ["application/json"])
            content = _Bytes(orjson.dumps(body))
        try:
            asked: Deferred[IResponse] = self._agent.request(method.encode(), url.encode(), sent, content)
            response: Any = await asked.addTimeout(self._patience, self._clock)  # type: ignore[arg-type]
        except _NETWORK as error:
            raise self.unavailable(_words(error)) from error
        inflow = Inflow(self._clock, self._patience)
        response.deliverBody(inflow)
        if response.code >= 500 or response.code in _BUSY:
            inflow.stop()
            raise self.unavailable(f"it answered with status {response.code}")
        found = {name.decode().lower(): values[-1].decode("latin-1")
                 for name, values in response.headers.getAllRawHeaders()}
        return Opened(status=response.code, headers=found, inflow=inflow)

    def unavailable(self, reason: str, remedy: str | None = None) -> errors.Unavailable:
        """The error for a service that cannot be used now."""
        return errors.Unavailable(f"{self._name} cannot be used now: {reason}.", remedy=remedy)

    def _value(self, status: int, content: bytearray) -> Any:
        if not content:
            return None
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            if status >= 300:
                return None  # an error page of a proxy
            raise self.unavailable("its answer is no JSON") from error


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    # These wrap what really happened.
    for inner in getattr(error, "reasons", None) or ():
        return _words(inner.value)
    return str(error).strip().rstrip(".") or type(error).__name__
