"""A troublesome client of the broker: it reads a copy of every message and publishes some of them again, later.

So messages arrive twice, late and out of order, as they may on any bus. ``python -m stackd.testing.chaos.shovel PREFIX
PORTION``, with the broker's address in the environment, runs until it is killed. Its user must be allowed to publish in
the name of others.
"""

import os
import random
import sys
from typing import Any

from twisted.internet import reactor
from twisted.logger import Logger

from stackd.bus.amqp.connection import AmqpConnection
from stackd.bus.amqp.settings import AmqpSettings, Broker
from stackd.bus.amqp.topology import Consumer, Queue, Topology
from stackd.bus.amqp.wire import WireChannel
from stackd.daemons import logging
from stackd.testing.chaos.doubling import URL

_log = Logger()

LATEST = 5.0
MARK = "x-chaos"


class Shovel:
    """Doubles a portion of what it sees."""

    def __init__(self, clock: Any, url: str, prefix: str, portion: float) -> None:
        """Connects when started."""
        self._clock = clock
        self._prefix = prefix
        self._portion = portion
        self._random = random.Random()
        self._channel: WireChannel | None = None
        self.doubled = 0
        self._connection = AmqpConnection(clock, (Broker.parse(url),), AmqpSettings(prefix=prefix), self._random,
                                          "chaos", lambda: None)

    def start(self) -> None:
        """Read and double."""
        name = f"{self._prefix}.chaos.copy"
        copies = Queue(name=name, exchange=self._prefix, key="#", auto_delete=True,
                       arguments={"x-max-length": 10_000})
        topology = Topology(queues=(copies,), consumers=(Consumer(queue=name, received=self._received),))
        self._connection.keep(lambda server: topology, self._opened, lambda error: self._opened(None))
        self._connection.startService()

    def _opened(self, channel: WireChannel | None) -> None:
        self._channel = channel

    def _received(self, channel: WireChannel, message: Any) -> None:
        headers = message.content.properties.get("headers") or {}
        if MARK in headers or self._random.random() >= self._portion:
            return
        content = message.content
        content.properties = {**content.properties, "headers": {**headers, MARK: "again"}}
        self._clock.callLater(self._random.uniform(0.0, LATEST), self._again, message.routing_key, content)

    def _again(self, key: str, content: Any) -> None:
        channel = self._channel
        if channel is not None and not channel.closed:
            channel.basic_publish(exchange=self._prefix, routing_key=key, content=content)
            self.doubled += 1
            if self.doubled % 10 == 0:
                _log.info("{count} messages were doubled", count=self.doubled)


def main(prefix: str, portion: str) -> None:
    """Run."""
    logging.begin(sys.stdout, "info")
    shovel = Shovel(reactor, os.environ[URL], prefix, float(portion))
    reactor.callWhenRunning(shovel.start)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
