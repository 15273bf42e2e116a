"""txamqp's client and channel with a wire layer of our own; ``connection.py`` makes one for each connection.

Stock txamqp 0.8.2 decodes bodies as text and loses or waits for what is none, cannot read a dead-lettered message's
headers, and is closed by the first confirm. What stays of it: the spec model, the methods generated on channels,
delegate, ``Content`` and ``Message``. What is ours: one loop over the received bytes, one write for each message sent,
bodies as bytes, and callbacks instead of queues for what a broker says unasked.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from txamqp.client import ChannelClosed, Closed, ConnectionClosed, TwistedEvent
from txamqp.content import Content
from txamqp.message import Message
from txamqp.protocol import AMQChannel, AMQClient, FrameReceiver, GarbageException
from txamqp.spec import Method
from zope.interface import implementer

from stackd import errors
from stackd.bus.amqp import spec as table
from stackd.bus.amqp.frames import FRAME, HEARTBEAT, PROTOCOL_HEADER, Codecs, codec, content_frames, frame, read_header
from stackd.interfaces.clock import Clock

_log = Logger()

SPEC = table.load()
_CODECS = Codecs(SPEC)
Received = Callable[["WireChannel", Message], None]


def closed_error(reason: Any) -> Closed:
    """The exception for why a channel or connection is closed, in the broker's words where it gave some."""
    if not isinstance(reason, Message):
        value = reason.value if isinstance(reason, Failure) else reason
        return value if isinstance(value, Closed) else Closed(str(value))
    kind = ChannelClosed if reason.method.klass.name == "channel" else ConnectionClosed
    return kind(f"{reason.reply_code} {reason.reply_text}")


class WireChannel(AMQChannel):  # type: ignore[misc]
    """One channel; the methods ``basic_publish(...)`` and so on are generated from the spec.

    A method that has an answer gives a Deferred of its ``Message``, others give None. All raise ``Closed``.
    """

    def __init__(self, id: int, client: "WireClient") -> None:
        """Made by :meth:`WireClient.new_channel`."""
        self.id = id
        self.client = client
        self.closed = False
        """Nothing more can be sent; the broker may still have to agree."""
        self.reason: Any = None
        self._gone = False
        self.consumers: dict[str, Received] = {}
        """What takes the messages of each consumer tag."""
        self.on_close: Callable[[Closed], None] = lambda error: None
        self.on_confirm: Callable[[int, bool, bool], None] = lambda tag, multiple, taken: None
        self.on_return: Callable[[Message], None] = lambda message: None
        self.on_cancel: Callable[[str], None] = lambda tag: None
        self._waiting: deque[tuple[Method, Deferred[Message]]] = deque()
        self._arriving: tuple[Message, int, list[bytes]] | None = None
        self._missing = 0
        self._kept = True

    def invoke(self, method: Method, args: tuple[Any, ...], content: Content | None = None) -> Any:
        """Send one method, with its content, in one write."""
        if self.closed and method.name != "close-ok":
            raise closed_error(self.reason)
        compiled = codec(method)
        frames = [frame(table.FRAME_METHOD, self.id, compiled.encode(args))]
        if method.content:
            frames += content_frames(self.id, method.klass, content or Content(b""), self.client.MAX_LENGTH)
        self.client.transport.write(b"".join(frames))
        if not method.responses or (compiled.no_wait is not None and args[compiled.no_wait]):
            return None
        answer: Deferred[Message] = Deferred()
        self._waiting.append((method, answer))
        return answer

    def arrived(self, message: Message) -> None:
        """A whole message came: an answer to somebody who waits, or something for the delegate."""
        if message.method.response and self._waiting and message.method in self._waiting[0][0].responses:
            _, answer = self._waiting.popleft()
            if not answer.called:
                answer.callback(message)
            return
        self.client.delegate.dispatch(self, message)

    def method_arrived(self, payload: bytes) -> None:
        """A method frame came."""
        compiled = _CODECS.of(payload)
        message = Message(compiled.method, compiled.decode(payload))
        if compiled.method.content:
            self._arriving = message, 0, []
        else:
            self.arrived(message)

    def header_arrived(self, payload: bytes) -> None:
        """A content header came."""
        message, _, chunks = self._under_way()
        size, properties = read_header(message.method.klass, payload)
        message.content = Content(b"", properties=properties)
        self._missing, self._kept = size, size <= self.client.largest
        self._arriving = message, size, chunks
        self._complete()

    def body_arrived(self, payload: bytes) -> None:
        """A piece of a body came."""
        _, _, chunks = self._under_way()
        if self._kept:
            chunks.append(payload)
        self._missing -= len(payload)
        self._complete()

    def _under_way(self) -> tuple[Message, int, list[bytes]]:
        if self._arriving is None:
            raise GarbageException("content without a method")
        return self._arriving

    def _complete(self) -> None:
        if self._missing <= 0:
            message, _, chunks = self._under_way()
            self._arriving = None
            message.content.body = b"".join(chunks)
            self.arrived(message)

    def do_close(self, reason: Any) -> None:
        """It is closed: all who wait are told, and its number is free."""
        if self._gone:
            return
        self._gone, self.closed, self.reason = True, True, reason
        self.client.channels.pop(self.id, None)
        waiting, self._waiting = self._waiting, deque()
        self.consumers.clear()
        error = closed_error(reason)
        self.on_close(error)
        for _, answer in waiting:
            if not answer.called:
                answer.errback(error)

    async def leave(self, words: str = "done") -> None:
        """Close it and wait until the broker has; what it has not acknowledged goes to others."""
        if not self.closed:
            agreed = self.channel_close(200, words)
            self.closed, self.reason = True, Closed(words)
            self.consumers.clear()
            await agreed
            self.do_close(self.reason)


@implementer(IPushProducer)
class WireClient(AMQClient):  # type: ignore[misc]
    """One connection."""

    channelClass = WireChannel
    MAX_LENGTH = 131072

    def __init__(self, delegate: Any, vhost: str, heartbeat: float, clock: Clock) -> None:
        """``heartbeat`` is in seconds, 0 for none; the broker may ask for fewer."""
        FrameReceiver.__init__(self, SPEC)
        self.delegate = delegate
        delegate.client = self
        self.vhost = vhost
        self.user = ""
        self.heartbeatInterval = heartbeat
        self.clock = clock
        self.channelFactory = type("Channel", (self.channelClass, SPEC.klass), {})
        self.channels: dict[int, WireChannel] = {}
        self.started = TwistedEvent()
        self.disconnected = TwistedEvent()
        self.closed = False
        self.channel_max = 2047
        self.largest = 2**31
        """Longer bodies are thrown away while they arrive; their messages come without."""
        self.server_properties: dict[str, Any] = {}
        self.blocked = False
        self.congested = False
        self.on_flow: Callable[[], None] = lambda: None
        """Called when ``blocked`` or ``congested`` changed."""
        self._rest = b""
        self._heard = clock.seconds()
        self._beat: Any = None

    # --- channels ---

    def channel(self, id: int) -> WireChannel:
        """The channel of this number, made when it is new."""
        found = self.channels.get(id)
        if found is None:
            found = self.channels[id] = self.channelFactory(id, self)
        return found

    def new_channel(self) -> WireChannel:
        """A channel with a number nobody uses; still to be opened. Raises ``Closed`` and ``Overloaded``."""
        if self.closed:
            raise Closed("the connection is closed")
        free = next((id for id in range(1, self.channel_max + 1) if id not in self.channels), None)
        if free is None:
            raise errors.Overloaded(f"All {self.channel_max} channels of the connection are in use.",
                                    remedy="Serve fewer hosts with one process, or raise the broker's channel_max.")
        return self.channel(free)

    # --- opening and closing ---

    async def authenticate(self, username: str, password: str) -> None:
        """Log in and open the virtual host; raises ``Closed``, with the broker's words where it gave some."""
        self.user, self.mechanism, self.locale = username, "PLAIN", "en_US"
        self.response = f"\0{username}\0{password}"
        await self.started.wait()
        await self.channel(0).connection_open(self.vhost)

    async def leave(self) -> None:
        """Close politely, within two seconds."""
        if not self.closed:
            abort = self.clock.callLater(2.0, self.transport.abortConnection)
            try:
                await self.channel(0).connection_close(200, "done")
            except Closed:
                pass
            finally:
                if abort.active():
                    abort.cancel()
            self.do_close(Closed("done"))

    def do_close(self, reason: Any) -> None:
        """It is closed, by whomever."""
        if not self.closed:
            self.closed = True
            for channel in list(self.channels.values()):
                channel.do_close(reason)
            self.transport.unregisterProducer()
            self.delegate.close(closed_error(reason))

    def connectionMade(self) -> None:
        """Speak first."""
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self.transport.write(PROTOCOL_HEADER)

    def connectionLost(self, reason: Failure) -> None:
        """Tell everybody."""
        self.pause_beating()
        self.do_close(reason)
        self.disconnected.fire()

    # --- receiving ---

    def dataReceived(self, data: bytes) -> None:
        """Take all whole frames out of what was received."""
        self._heard = self.clock.seconds()
        buffer = self._rest + data if self._rest else data
        at, end = 0, len(buffer)
        try:
            while end - at > FRAME.size:
                kind, channel, size = FRAME.unpack_from(buffer, at)
                if size > self.MAX_LENGTH:
                    raise GarbageException(f"a frame of {size} bytes")
                last = at + FRAME.size + size
                if last >= end:
                    break
                if buffer[last] != table.FRAME_END:
                    raise GarbageException("a frame without an end")
                self._frame_arrived(kind, channel, buffer[at + FRAME.size:last])
                at = last + 1
            self._rest = buffer[at:]
        except Exception as error:
            _log.failure("What the broker sent cannot be read; the connection is given up")
            self.do_close(Closed(repr(error)))
            self.transport.abortConnection()

    def _frame_arrived(self, kind: int, number: int, payload: bytes) -> None:
        channel = self.channels.get(number)
        if kind == table.FRAME_HEARTBEAT or self.closed:
            return
        if channel is None and number:
            return  # it was closed by us, and this had been sent before
        channel = channel or self.channel(0)
        if kind == table.FRAME_METHOD:
            channel.method_arrived(payload)
        elif kind == table.FRAME_HEADER:
            channel.header_arrived(payload)
        elif kind == table.FRAME_BODY:
            channel.body_arrived(payload)
        else:
            raise GarbageException(f"a frame of type {kind}")

    # --- heartbeats ---

    def begin_beating(self) -> None:
        """The interval is agreed: send heartbeats, and give the connection up after three without a sign."""
        if self.heartbeatInterval:
            self._beat = self.clock.callLater(self.heartbeatInterval, self._beaten)

    def _beaten(self) -> None:
        silence = self.clock.seconds() - self._heard
        if silence > (self.MAX_UNSEEN_HEARTBEAT - 0.5) * self.heartbeatInterval:
            _log.warn("The broker was silent for {silence} s; the connection is given up", silence=round(silence, 1))
            self.transport.abortConnection()
            return
        self.transport.write(HEARTBEAT)
        self.begin_beating()

    def pause_beating(self) -> None:
        """No more heartbeats."""
        if self._beat is not None and self._beat.active():
            self._beat.cancel()

    # --- flow ---

    def set_blocked(self, blocked: bool) -> None:
        """The broker wants no more messages, or wants them again."""
        self.blocked = blocked
        self.on_flow()

    def pauseProducing(self) -> None:
        """The broker does not take as fast as we send."""
        self.congested = True
        self.on_flow()

    def resumeProducing(self) -> None:
        """It has taken what was sent."""
        self.congested = False
        self.on_flow()

    def stopProducing(self) -> None:
        """The connection is lost; :meth:`connectionLost` follows."""
