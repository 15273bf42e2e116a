"""The AMQP bus keeps the contract of every bus over a real broker."""

import secrets
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.settings import AmqpSettings
from stackd.testing.contracts.bus import BusContract
from tests.live.rabbitmq_fixtures import RabbitMq, rabbitmq

__all__ = ["rabbitmq"]

PATIENCE = 20.0


class TestAmqpBus(BusContract):
    """Every test with queues of its own."""

    @pytest_twisted.async_yield_fixture
    async def bus(self, rabbitmq: RabbitMq) -> Any:
        bus = AmqpBus(reactor, [rabbitmq.url], AmqpSettings(prefix=f"test-{secrets.token_hex(4)}", unserved_for=5.0))
        bus.startService()
        yield bus
        await bus.stopService()

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        return await deferred.addTimeout(PATIENCE, reactor)

    @pytest_twisted.ensureDeferred
    async def test_defects_come_back_as_internal(self, bus: AmqpBus, lost_failures: list[Any]) -> None:
        await super().test_defects_come_back_as_internal(bus)
        assert [event["log_failure"].type for event in lost_failures] == [ZeroDivisionError]
        lost_failures.clear()
