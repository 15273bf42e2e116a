"""The web site every API is served by: bodies are bounded, bytes that are no text do no harm, each request is told.

Twisted keeps a body of any size on disk before anybody is asked for a token; a :class:`BoundedRequest` keeps no more
than the APIs would take. ``daemons`` makes the sites and writes down what they tell; ``streaming`` builds on them.
"""

import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, quote
from weakref import WeakSet

import orjson
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

MAX_BODY = 1 << 20
"""More than this of a body is not kept; the APIs refuse it."""
PATIENCE = 64 << 20
"""A client that goes on sending after so many bytes is hung up on."""
MASK = "***"
SECRETS = ("signature", "token", "password", "secret", "credential", "userdata", "user_data", "material", "marker")
LONGEST = 400
_HOST = re.compile(rb"([A-Za-z0-9_-]{1,63}\.?){1,32}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_REQUEST_IDS = (b"x-openstack-request-id", b"x-amzn-requestid")

Tell = Callable[[Mapping[str, Any]], None]


class BoundedRequest(Request):
    """A request whose body is kept up to a limit and whose headers can be decoded."""

    begun = 0.0
    _kept = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        """As Twisted's."""
        super().__init__(*args, **options)
        self.noted: dict[str, str] = {}

    def gotLength(self, length: int | None) -> None:
        """The headers are in."""
        self._gathered = self.content = BytesIO()
        self._begin()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep one byte too many at most: whoever reads the body sees that it is too large."""
        room = MAX_BODY + 1 - self._gathered.tell()
        if room > 0:
            self._gathered.write(data[:room])
        self._kept += len(data)
        if self._kept > PATIENCE and self.channel is not None:
            self.channel.loseConnection()

    def _begin(self) -> None:
        site = getattr(self.channel, "site", None)
        if site is not None:
            self.begun = site.reactor.seconds()
        for name, values in list(self.requestHeaders.getAllRawHeaders()):
            if not all(map(_is_text, values)):
                self.requestHeaders.setRawHeaders(name, [_as_text(value) for value in values])
        # Links repeat the host: what can be none is not repeated.
        if not _HOST.fullmatch(self.getHeader(b"host") or b""):
            self.requestHeaders.setRawHeaders(b"host", [b"localhost"])


class ToldSite(Site):
    """A site that tells of each request it has answered."""

    requestFactory = BoundedRequest
    protocol = HTTPChannel  # type: ignore[assignment]

    def __init__(self, resource: Any, tell: Tell | None = None, **options: Any) -> None:
        """``tell`` gets one mapping for each request, without secrets; the other options are those of ``Site``."""
        super().__init__(resource, parsePOSTFormSubmission=False, **options)
        self.displayTracebacks = False
        self._tell = tell
        self._channels: WeakSet[HTTPChannel] = WeakSet()

    def buildProtocol(self, addr: Any) -> Any:
        """Remember the connection, for the end."""
        channel = super().buildProtocol(addr)
        self._channels.add(channel)
        return channel

    def close_idle(self) -> int:
        """Close the connections on which no request is under way; how many there still are.

        The others close with their answers; called over and over when the site is to end.
        """
        there = self._connected()
        for channel in there:
            channel.persistent = False
            if not channel.requests and not channel.transport.disconnecting:
                channel.loseConnection()
        return len(there)

    def abort(self) -> None:
        """Close all connections, whatever is under way on them."""
        for channel in self._connected():
            channel.transport.abortConnection()

    def _connected(self) -> list[Any]:
        return [channel for channel in self._channels if not getattr(channel.transport, "disconnected", True)]

    def startFactory(self) -> None:
        """No line of Twisted's own: it would show signatures."""

    def stopFactory(self) -> None:
        """Nothing was opened."""

    def log(self, request: Any) -> None:
        """Called by Twisted when a request has been answered."""
        if self._tell is not None:
            self._tell(told(request, self.reactor.seconds()))

    def getResourceFor(self, request: Any) -> Any:
        """The resource; parts of the path that are no text name nothing."""
        resource = super().getResourceFor(request)
        request.postpath = [part if _is_text(part) else _as_text(part) for part in request.postpath]
        return resource


class NoSuchPath(Resource):
    """Answers everything with 404, in JSON."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        """Say that there is nothing."""
        request.setResponseCode(404)
        request.setHeader("Content-Type", "application/json")
        message = "There is no API at this path. The catalogue in an answer to a login names those there are."
        return b"" if request.method == b"HEAD" else orjson.dumps(
            {"error": {"code": 404, "title": "Not Found", "message": message}})


class Root(Resource):
    """The children of a site, and what answers everywhere else."""

    def __init__(self, otherwise: Resource | None = None) -> None:
        """``otherwise`` is a leaf; without one, nothing is found."""
        super().__init__()
        self._otherwise = otherwise or NoSuchPath()

    def getChild(self, path: bytes, request: Any) -> Resource:
        """Called for a path no child has."""
        return self._otherwise

    def render(self, request: Any) -> Any:
        """The root itself."""
        return self._otherwise.render(request)


def note(request: Any, **words: str) -> None:
    """Remember for the telling who asked for what."""
    noted = getattr(request, "noted", None)
    if noted is not None:
        noted.update(words)


def told(request: Any, now: float) -> dict[str, Any]:
    """What is written down of a request that was answered."""
    return {
        "method": request.method.decode("ascii", "replace")[:16], "path": shown(request.uri), "status": request.code,
        "ms": round((now - request.begun) * 1000, 1), "bytes": request.sentLength,
        "request_id": _request_id(request), "project": "", **getattr(request, "noted", {})}


def shown(uri: bytes) -> str:
    """Path and query without what is secret in the query, and not endless."""
    path, question, query = uri.decode("utf-8", "replace").partition("?")
    if not question:
        return path[:LONGEST]
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    kept = "&".join(f"{quote(name)}={MASK if is_secret(name) else quote(value)}" for name, value in pairs)
    return f"{path}?{kept}"[:LONGEST]


def is_secret(name: str) -> bool:
    """Whether the value of such a parameter is nobody else's business."""
    bare = name.lower().replace("-", "")
    return any(word in bare for word in SECRETS)


def _request_id(request: Any) -> str:
    for name in _REQUEST_IDS:
        values = request.responseHeaders.getRawHeaders(name)
        if values:
            return str(values[0].decode("ascii", "replace"))
    return ""


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_text(raw: bytes) -> bytes:
    return raw.decode("utf-8", "replace").encode()
