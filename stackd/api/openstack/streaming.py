"""Uploads and downloads of any size in constant memory: a web site whose request bodies stream into their handlers.

Twisted gathers a whole body before it looks for the resource. For the uploads named in :func:`streams`, a
:class:`StreamRequest` starts the handler as soon as the headers are in and hands it a :class:`Body`. All other
requests are as always, so one :class:`StreamSite` serves every API. The image API is the user.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from io import BytesIO
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer

from stackd import errors
from stackd.api.sites import BoundedRequest, ToldSite

T = TypeVar("T")
BLOCK = 1 << 20
HELD = 4 << 20
DISCARDED = 64 << 20
_STREAMED = re.compile(rb"/v2/images/[^/?]+/file/?(\?.*)?$")


def streams(method: bytes, path: bytes) -> bool:
    """Whether the body of such a request goes to its handler as it comes."""
    return method == b"PUT" and _STREAMED.search(path) is not None


class Body:
    """The bytes of one request, iterated as they come; the client is slowed down while they are not read."""

    def __init__(self, transport: Any, expects_invitation: bool) -> None:
        """``expects_invitation``: the client waits for ``100 Continue`` before it sends."""
        self.complete = False
        self._transport = transport
        self._uninvited = expects_invitation
        self._blocks: list[bytes] = []
        self._held = 0
        self._discarded = 0
        self._lost = False
        self._paused = False
        self._reader: Deferred[None] | None = None
        self._ended: Callable[[], None] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Itself."""
        return self

    async def __anext__(self) -> bytes:
        """All that came since the last call; raises ``Malformed`` when the client went away."""
        self._invite()
        while not self._blocks:
            if self._lost:
                raise errors.Malformed("The connection was lost before all bytes came.", remedy="Upload them again.")
            if self.complete:
                raise StopAsyncIteration
            self._reader = Deferred()
            await self._reader
        return self._take()

    def feed(self, block: bytes) -> None:
        """Bytes came from the client."""
        if self._ended is not None:
            self._discarded += len(block)
            if self._discarded > DISCARDED:
                self._end_discarding()
            return
        self._blocks.append(block)
        self._held += len(block)
        if self._held > HELD and not self._paused:
            self._paused = True
            self._transport.pauseProducing()
        self._wake()

    def end(self) -> None:
        """The last byte came."""
        self.complete = True
        self._wake()
        self._end_discarding()

    def lose(self) -> None:
        """The client went away."""
        self._lost = not self.complete
        self._ended = None
        self._wake()

    def discard(self, ended: Callable[[], None]) -> None:
        """Nobody reads any more: let the client finish, then call ``ended``; not for ever, and not uninvited.

        Clients look at an answer only after they sent everything; closing on them would hide it.
        """
        self._blocks.clear()
        self._ended = ended
        if self._uninvited:
            self._end_discarding()
        elif self._paused:
            self._paused = False
            self._transport.resumeProducing()

    def _take(self) -> bytes:
        gathered = b"".join(self._blocks)
        self._blocks.clear()
        self._held = 0
        if self._paused:
            self._paused = False
            self._transport.resumeProducing()
        return gathered

    def _invite(self) -> None:
        if self._uninvited:
            self._uninvited = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        # A reader whose request was cancelled is not waiting any more.
        if reader is not None and not reader.called:
            reader.callback(None)

    def _end_discarding(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


class StreamRequest(BoundedRequest):
    """A request that starts its handler before its body came, when :func:`streams` says so."""

    body: Body | None = None

    def gotLength(self, length: int | None) -> None:
        """The headers are in: start the handler now, or gather the body first."""
        channel: Any = self.channel
        if not streams(channel._command, channel._path):
            super().gotLength(length)
            return
        expects = self.requestHeaders.getRawHeaders(b"expect", [b""])[0].lower() == b"100-continue"
        self.content = BytesIO()
        self._begin()
        self.body = Body(channel.transport, expects and channel._version == b"HTTP/1.1")
        super().requestReceived(channel._command, channel._path, channel._version)

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body came."""
        if self.body is None:
            super().handleContentChunk(data)
        else:
            self.body.feed(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The whole body came."""
        if self.body is None:
            super().requestReceived(command, path, version)
        else:
            self.body.end()

    def write(self, data: bytes) -> None:
        """An answer before the end of the body ends the connection after it."""
        if self.body is not None and not self.body.complete and not self.startedWriting:
            self.setHeader(b"connection", b"close")
            if self.channel is not None:
                self.channel.persistent = False
        super().write(data)

    def finish(self) -> None:
        """The answer is out; what is left of the body is thrown away first."""
        if self.body is None or self.body.complete:
            super().finish()
        else:
            self.body.discard(super().finish)

    def connectionLost(self, reason: Failure) -> None:
        """Tell whoever reads the body."""
        if self.body is not None:
            self.body.lose()
        super().connectionLost(reason)


class StreamChannel(HTTPChannel):
    """A connection whose streamed requests answer ``Expect: 100-continue`` themselves, when their body is wanted."""

    def _send100Continue(self) -> None:
        if self.requests and self.requests[-1].body is None:
            super()._send100Continue()

    def allContentReceived(self) -> None:
        """The end of a body; it may come after its request was answered and forgotten."""
        if self.requests:
            super().allContentReceived()


class StreamSite(ToldSite):
    """A site that serves any resource and streams the uploads among its requests."""

    protocol = StreamChannel  # type: ignore[assignment]

    def __init__(self, resource: Any, **options: Any) -> None:
        """The arguments are those of ``ToldSite``."""
        super().__init__(resource, requestFactory=StreamRequest, **options)

    def getResourceFor(self, request: Any) -> Any:
        """The resource of a request; a service mounted at ``/image`` answers there as it does at ``/image/``."""
        resource = super().getResourceFor(request)
        if not request.postpath:
            # Klein's router takes an empty path for a redirect, and clients look for versions at both.
            request.postpath = [b""]
        return resource


async def body_of(request: Any) -> AsyncIterator[bytes]:
    """The body of a request in blocks, streamed or gathered."""
    if getattr(request, "body", None) is not None:
        async for block in request.body:
            yield block
    else:
        while block := request.content.read(BLOCK):
            yield block


def uncancelled(work: Coroutine[Any, Any, T]) -> "Deferred[T]":
    """Run to its end what must tidy up after itself, also when the waiting request is cancelled."""
    outcome: Deferred[T] = Deferred()
    ensureDeferred(work).chainDeferred(outcome)
    return outcome


async def send(request: Any, blocks: AsyncGenerator[bytes, None]) -> None:
    """Write blocks at the pace of the client; ends silently when it goes away.

    The headers must be set. An error of ``blocks`` in the midst breaks the connection: a short body must not look
    whole.
    """
    outflow = _Outflow()
    request.notifyFinish().addErrback(lambda _: outflow.stopProducing())
    request.registerProducer(outflow, True)
    try:
        async with aclosing(blocks):
            async for block in blocks:
                if outflow.gone:
                    return
                request.write(block)
                await outflow.ready()
    except errors.StackdError:
        if request.channel is not None:
            request.channel.transport.abortConnection()
        raise
    finally:
        if not outflow.gone:
            request.unregisterProducer()


@implementer(IPushProducer)
class _Outflow:
    """Knows whether the client takes more bytes now."""

    def __init__(self) -> None:
        self.gone = False
        self._paused: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.callback(None)

    def stopProducing(self) -> None:
        self.gone = True
        self.resumeProducing()

    async def ready(self) -> None:
        if self._paused is not None:
            await self._paused
