"""Private brokers for live tests, and buses on them.

``stackd/testing/broker.py`` is the broker; modules share one, and give their queues names of their own.
"""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from stackd.bus.amqp.bus import AmqpBus, admit_all
from stackd.bus.amqp.serving import Admit
from stackd.bus.amqp.settings import AmqpSettings
from stackd.testing.broker import RabbitMq


@contextlib.contextmanager
def private_broker() -> Iterator[RabbitMq]:
    """A running broker for one purpose; at the end it is dead and its folder gone."""
    folder = Path(tempfile.mkdtemp(prefix="stackd-rabbitmq-"))
    broker = RabbitMq(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


_shared = contextlib.ExitStack()
_users: list[RabbitMq] = []


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """A running broker that all modules share; each test gives its queues names of their own."""
    broker = _users[0] if _users else _shared.enter_context(private_broker())
    _users.append(broker)
    yield broker
    _users.pop()
    if not _users:
        _shared.close()


PATIENCE = 20.0


async def soon(deferred: "Deferred[Any]") -> Any:
    """Its result, within reason."""
    return await deferred.addTimeout(PATIENCE, reactor)


def begun(coroutine: Any) -> "Deferred[Any]":
    """It runs by itself."""
    return Deferred.fromCoroutine(coroutine)


async def after(seconds: float) -> None:
    """Real time passes."""
    await deferLater(reactor, seconds, lambda: None)


SETTINGS = AmqpSettings(heartbeat=1.0, connect_within=2.0, unserved_for=5.0, backoff_most=1.0)


class Buses:
    """Buses of one cloud, as of several daemons."""

    def __init__(self, broker: RabbitMq) -> None:
        self._broker = broker
        self.prefix = f"test-{secrets.token_hex(4)}"
        self._made: list[AmqpBus] = []

    def add(self, *urls: str, admit: Admit = admit_all, **settings: Any) -> AmqpBus:
        """One more."""
        bus = AmqpBus(reactor, urls or [self._broker.url], evolve(SETTINGS, prefix=self.prefix, **settings),
                      admit=admit)
        bus.startService()
        self._made.append(bus)
        return bus

    async def stop(self) -> None:
        """All of them."""
        for bus in self._made:
            if bus.running:
                await bus.stopService()


@pytest_twisted.async_yield_fixture
async def buses(rabbitmq: RabbitMq) -> Any:
    """With queues of their own."""
    buses = Buses(rabbitmq)
    yield buses
    await buses.stop()
