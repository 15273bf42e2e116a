"""Where answers may go: to what the broker wrote into ``reply-to``, never to what a caller made up.

The broker writes an address only over the exact word ``amq.rabbitmq.reply-to`` and passes on all else as it came, so a
host that was broken into can send any text that begins so. RabbitMQ dies of reading one that it did not write: it then
closes the whole connection of whoever answers. The form of an address keeps out most of them, but not one that names
a node which is not there. So the first answer to a node leaves by a connection of its own, and only when that survived
it do others follow by the connection that everything depends on. ``calling.py`` asks.
"""

import base64
import re
from collections.abc import Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger
from txamqp.client import Closed
from txamqp.content import Content

from stackd import errors
from stackd.bus.amqp.connection import AmqpConnection
from stackd.bus.amqp.topology import REPLIES, Topology
from stackd.bus.amqp.wire import WireChannel
from stackd.interfaces.clock import Clock

_log = Logger()
Send = Callable[[str, Content], None]
"""(address, answer)."""

LONGEST_ADDRESS = 255
"""AMQP's bound of a routing key."""
MOST_NODES = 100
"""Of one cluster that are remembered, each once for every start of it."""
MOST_WAITING = 100
"""Answers that wait while their node is tried."""
TRIED_WITHIN = 10.0
INTERNAL_ERROR = "541"
"""Begins the broker's words when it died of what we sent."""
BLAMED_FOR = 60.0
"""Seconds for which whoever made us try a node that is none makes us try no other."""
_ADDRESS = re.compile(re.escape(REPLIES) + r"\.([A-Za-z0-9+/=]+)\.[A-Za-z0-9+/=_-]+", re.ASCII)
# The pid of a channel in Erlang's external format: PID_EXT or NEW_PID_EXT, a name in one of three encodings, then id,
# serial (4 bytes each) and creation. RabbitMQ puts a hash of the node after reply@.
_PID = re.compile(rb"\x83(?:X(?P<new>%s).{8}.{4}|g(?P<old>%s).{8}.)" % ((
    rb"(?:w(?:[\x01-\xff])|[vd]\x00[\x01-\xff])[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+?",) * 2), re.DOTALL)


def node_of(address: str) -> bytes:
    """Which start of which node of the broker wrote this address; raises ``NotAllowed`` when none can have.

    RabbitMQ decodes the address of an answer without care and closes the connection of who sent the answer when that
    fails. So base64 must be as one writes it, and in it a process of a node as RabbitMQ writes it, no byte more.
    """
    found = _ADDRESS.fullmatch(address) if len(address) <= LONGEST_ADDRESS else None
    try:
        raw = base64.b64decode(found[1], validate=True) if found else b""
    except ValueError:
        raw = b""
    pid = _PID.fullmatch(raw)
    if found is None or pid is None or base64.b64encode(raw).decode() != found[1]:
        raise _refused(address)
    atom = pid["new"] or pid["old"]
    start = 2 if atom[:1] == b"w" else 3
    if len(atom) - start != atom[start - 1]:
        raise _refused(address)
    return raw[:2] + atom + raw[2 + len(atom) + 8:]


def _refused(address: str) -> errors.NotAllowed:
    return errors.NotAllowed(f"No broker wrote the address for an answer {address[:80]!r}.")


class Answering:
    """Answers, each by the connection that it may endanger."""

    def __init__(self, send: Send, another: Callable[[], AmqpConnection], clock: Clock) -> None:
        """``send`` publishes by the connection of everybody; ``another`` makes one more, which does not run yet."""
        self._send = send
        self._another = another
        self._clock = clock
        self._known: set[bytes] = set()
        self._waiting: dict[bytes, list[tuple[str, Content]]] = {}
        self._trying: set[str] = set()
        self._blamed: dict[str, float] = {}

    def answer(self, user: str, to: str, content: Content) -> None:
        """Send it now or when its node was tried; raises ``NotAllowed`` for an address that no broker wrote."""
        node = node_of(to)
        if node in self._known:
            self._send(to, content)
        elif node in self._waiting:
            if len(self._waiting[node]) < MOST_WAITING:
                self._waiting[node].append((to, content))
        else:
            self._may_try(user, to)
            self._waiting[node] = []
            self._trying.add(user)
            Deferred.fromCoroutine(self._try(user, node, to, content)).addErrback(
                lambda failure: _log.failure("A node of the broker could not be tried", failure=failure))

    def forget(self) -> None:
        """The cluster may be another: each node is tried again."""
        self._known.clear()

    def _may_try(self, user: str, to: str) -> None:
        now = self._clock.seconds()
        self._blamed = {name: until for name, until in self._blamed.items() if until > now}
        if user in self._blamed or user in self._trying:
            raise _refused(to)

    async def _try(self, user: str, node: bytes, to: str, content: Content) -> None:
        connection = self._another()
        tried: Deferred[Closed | None] = Deferred()
        lasting = connection.keep(lambda server: Topology(), lambda channel: _publish(channel, to, content, tried),
                                  lambda error: None)
        connection.startService()
        try:
            error: Exception | None = await tried.addTimeout(TRIED_WITHIN, self._clock)  # type: ignore[arg-type]
        except TimeoutError as late:
            error = late
        waiting = self._waiting.pop(node)
        self._trying.discard(user)
        if error is None:
            self._is_known(node, waiting)
        else:
            if str(error).startswith(INTERNAL_ERROR):
                self._blamed[user] = self._clock.seconds() + BLAMED_FOR
            _log.warn("No answer was sent to {user} where it asked for it: {error}", user=user[:80], error=repr(error))
        await lasting.end()
        await connection.stopService()

    def _is_known(self, node: bytes, waiting: list[tuple[str, Content]]) -> None:
        if len(self._known) >= MOST_NODES:
            self._known.clear()
        self._known.add(node)
        for to, content in waiting:
            self._send(to, content)


def _publish(channel: WireChannel, to: str, content: Content, tried: "Deferred[Closed | None]") -> None:
    """Tell ``tried`` of what the connection died, None when it survived."""
    async def published() -> None:
        found: Closed | None = None
        try:
            channel.basic_publish(routing_key=to, content=content)
            await channel.basic_qos(prefetch_count=1)  # whatever has an answer: all before was looked at
        except Closed as error:
            found = error
        if not tried.called:
            tried.callback(found)

    if not tried.called:
        Deferred.fromCoroutine(published())
