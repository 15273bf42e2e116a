"""What is under way over AMQP: messages are counted where they leave and where they arrive, for tests on a Clock.

All connections of a test are in its process, so that it can know that a message left and did not come yet. Each
channel made while a :class:`Meter` is :meth:`on <Meter.on>` tells it; ``stackd/testing/brokered.py`` asks.
"""

from collections import Counter
from typing import Any

from txamqp.content import Content
from txamqp.message import Message
from txamqp.spec import Method

from stackd.bus.amqp.topology import REPLIES
from stackd.bus.amqp.wire import WireChannel, WireClient

KEPT = ".reports"
"""Ends the names of queues that outlive their consumers."""
CALLS = ".calls"
"""Ends the names of queues whose messages come back when nobody consumes."""


class Meter:
    """Knows the messages under way between the channels of one process and one broker.

    A queue has the name of its routing key, and its consumer that of the queue, as :mod:`stackd.bus.amqp.topology` has
    it.
    """

    def __init__(self) -> None:
        """Knows of nothing yet; ``heard`` counts what came from the broker."""
        self.heard = 0
        self.channels: set[MeteredChannel] = set()
        self._sent: Counter[str] = Counter()
        self._consumers: dict[str, set[MeteredChannel]] = {}
        self._asking: dict[str, MeteredChannel] = {}
        self._answered: dict[str, MeteredChannel] = {}

    def on(self) -> None:
        """Channels of this process are metered from here on."""
        WireClient.channelClass = type("MeteredChannel", (MeteredChannel,), {"meter": self})  # type: ignore[assignment]

    def off(self) -> None:
        """New channels are plain ones again."""
        WireClient.channelClass = WireChannel

    @property
    def busy(self) -> bool:
        """Whether something has left that must still arrive, or an answer of the broker is due."""
        return bool(self._answered) or any(channel.waits for channel in self.channels) or any(
            queue.endswith(CALLS) or queue in self._consumers for queue in self._sent)

    def give_up(self) -> None:
        """What did not come will not come: it was lost on the way."""
        self._sent.clear()
        self._answered.clear()
        for channel in self.channels:
            channel.unconfirmed.clear()

    # --- told by channels ---

    def published(self, channel: "MeteredChannel", key: str, content: Content) -> None:
        """A message left."""
        correlation = content.properties.get("correlation-id", "")
        if key.startswith(REPLIES):
            if (asker := self._asking.pop(correlation, None)) in self.channels and asker is not None:
                self._answered[correlation] = asker
            return
        if key.endswith(CALLS):
            self._asking[correlation] = channel
        if key.endswith((KEPT, CALLS)) or key in self._consumers:
            self._sent[key] += 1

    def came(self, queue: str, content: Content) -> None:
        """A message arrived, or was returned."""
        if queue == REPLIES:
            self._answered.pop(content.properties.get("correlation-id", ""), None)
            return
        self._sent[queue] -= 1
        if self._sent[queue] <= 0:
            del self._sent[queue]

    def consumes(self, channel: "MeteredChannel", queue: str) -> None:
        """Messages of the queue come to this channel."""
        if queue != REPLIES:
            self._consumers.setdefault(queue, set()).add(channel)

    def leaves(self, channel: "MeteredChannel", held: list[str]) -> None:
        """The channel is gone; what it held of kept queues comes again, other queues go with their last consumer."""
        self.channels.discard(channel)
        self._sent.update(queue for queue in held if queue.endswith(KEPT))
        for queue in [queue for queue, channels in self._consumers.items() if channel in channels]:
            self._consumers[queue].discard(channel)
            if not self._consumers[queue]:
                del self._consumers[queue]
                if not queue.endswith(KEPT):
                    self._sent.pop(queue, None)
        self._answered = {key: asker for key, asker in self._answered.items() if asker is not channel}


class MeteredChannel(WireChannel):
    """Tells its meter what leaves and what arrives."""

    meter: Meter

    def __init__(self, id: int, client: WireClient) -> None:
        """Made by the client."""
        super().__init__(id, client)
        self._number: int | None = None
        self.unconfirmed: set[int] = set()
        self._held: dict[int, str] = {}
        self.meter.channels.add(self)

    @property
    def waits(self) -> bool:
        """Whether the broker owes it an answer or a confirm."""
        return bool(self._waiting or self.unconfirmed)

    def invoke(self, method: Method, args: tuple[Any, ...], content: Content | None = None) -> Any:
        """Send, and tell what was sent."""
        answer = super().invoke(method, args, content)
        name = f"{method.klass.name}.{method.name}"
        if name == "basic.publish" and content is not None:
            self.meter.published(self, args[2], content)
            if self._number is not None:
                self._number += 1
                self.unconfirmed.add(self._number)
        elif name == "basic.consume":
            self.meter.consumes(self, args[1])
        elif name == "confirm.select":
            self._number = 0
        elif name in ("basic.ack", "basic.reject"):
            self._held.pop(args[0], None)
        return answer

    def arrived(self, message: Message) -> None:
        """Tell what came, then take it."""
        method = message.method
        self.meter.heard += 1
        if method.klass.name == "basic" and method.name == "deliver":
            self.meter.came(message.consumer_tag, message.content)
            self._held[message.delivery_tag] = message.consumer_tag
        elif method.klass.name == "basic" and method.name == "return":
            self.meter.came(message.routing_key, message.content)
        elif method.klass.name == "basic" and method.name in ("ack", "nack"):
            last = message.delivery_tag
            self.unconfirmed -= {tag for tag in self.unconfirmed if tag == last or (message.multiple and tag < last)}
        super().arrived(message)

    def do_close(self, reason: Any) -> None:
        """Tell that nothing comes any more."""
        if self in self.meter.channels:
            self.unconfirmed.clear()
            self.meter.leaves(self, list(self._held.values()))
        super().do_close(reason)


