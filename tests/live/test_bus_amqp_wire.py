"""The wire layer over a real broker: what stock txamqp lost, garbled, leaked or waited for without end."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from txamqp.client import ChannelClosed, Closed
from txamqp.content import Content

from stackd.bus.amqp.delegate import WireDelegate
from stackd.bus.amqp.wire import WireChannel, WireClient
from tests.live.rabbitmq_fixtures import RabbitMq, rabbitmq

__all__ = ["rabbitmq"]

PATIENCE = 20


async def connected(broker: RabbitMq, heartbeat: float = 15.0, password: str = "guest") -> WireClient:
    """A connection, logged in."""
    client = WireClient(WireDelegate("test"), "/", heartbeat, reactor)
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", broker.port), client)
    await client.authenticate("guest", password)
    return client


async def opened(client: WireClient) -> WireChannel:
    """One more channel."""
    channel = client.new_channel()
    await channel.channel_open()
    return channel


async def soon(deferred: "Deferred[Any]") -> Any:
    """Its result, within reason."""
    return await deferred.addTimeout(PATIENCE, reactor)


async def consumed(channel: WireChannel, **declare: Any) -> "tuple[str, DeferredQueue[Any]]":
    """The name of a queue of this connection, and what arrives in it."""
    name = (await channel.queue_declare(exclusive=True, **declare)).queue
    arrived: DeferredQueue[Any] = DeferredQueue()
    channel.consumers[name] = lambda channel, message: arrived.put(message)
    await channel.basic_consume(queue=name, consumer_tag=name, no_ack=True)
    return name, arrived


@pytest_twisted.async_yield_fixture
async def client(rabbitmq: RabbitMq) -> Any:
    """One connection."""
    client = await connected(rabbitmq)
    yield client
    await client.leave()


@pytest_twisted.async_yield_fixture
async def channel(client: WireClient) -> Any:
    """One channel."""
    yield await opened(client)


@pytest.mark.parametrize("body", [
    "zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich".encode(),
    b"plain words", b"", b"\xff\x00\xce",
    b"a" * 100_000 + b"\xff" * 100_000,  # begins as text in the first frames, then is none
    bytes(range(256)) * 12_000,
], ids=["not ascii", "ascii", "empty", "no text", "200 KB mixed", "3 MB"])
@pytest_twisted.ensureDeferred
async def test_bodies_arrive_byte_for_byte(channel: WireChannel, body: bytes) -> None:
    queue, arrived = await consumed(channel)
    channel.basic_publish(routing_key=queue, content=Content(body))
    assert (await soon(arrived.get())).content.body == body


@pytest_twisted.ensureDeferred
async def test_text_is_counted_in_bytes(channel: WireChannel) -> None:
    queue, arrived = await consumed(channel)
    for word in ("größer", "als"):
        channel.basic_publish(routing_key=queue, content=Content(word))
    assert [(await soon(arrived.get())).content.body.decode() for _ in range(2)] == ["größer", "als"]


@pytest_twisted.ensureDeferred
async def test_tables_keep_their_types(channel: WireChannel) -> None:
    table = {"yes": True, "no": False, "nothing": None, "text": "ü", "raw": b"\xff\x00", "small": -5, "large": 2**40,
             "float": 0.5, "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "price": Decimal("12.34"),
             "list": [1, "two", [3.0, None]], "table": {"inner": {"deep": True}}, "": 0}
    queue, arrived = await consumed(channel)
    channel.basic_publish(routing_key=queue, content=Content(b"", properties={"headers": table}))
    found = (await soon(arrived.get())).content.properties["headers"]
    assert found == table
    assert [type(value) for value in found.values()] == [type(value) for value in table.values()]


@pytest_twisted.ensureDeferred
async def test_every_property_arrives(channel: WireChannel) -> None:
    properties = {"content-type": "text/plain", "content-encoding": "utf-8", "delivery-mode": 1, "priority": 3,
                  "correlation-id": "c", "reply-to": "r", "expiration": "60000", "message-id": "m", "timestamp": 2**33,
                  "type": "t", "user-id": "guest", "app-id": "a"}
    queue, arrived = await consumed(channel)
    channel.basic_publish(routing_key=queue, content=Content(b"x", properties=properties))
    assert (await soon(arrived.get())).content.properties == properties


@pytest_twisted.ensureDeferred
async def test_a_dead_letter_can_be_read(channel: WireChannel) -> None:
    dead, arrived = await consumed(channel)
    queue = (await channel.queue_declare(exclusive=True, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": 1})).queue
    channel.basic_publish(routing_key=queue, content=Content(b"x"))
    death = (await soon(arrived.get())).content.properties["headers"]["x-death"][0]
    assert (death["reason"], death["queue"], death["count"]) == ("expired", queue, 1)
    assert isinstance(death["time"], datetime)


@pytest_twisted.ensureDeferred
async def test_the_broker_confirms_and_refuses(channel: WireChannel) -> None:
    queue = (await channel.queue_declare(exclusive=True, arguments={
        "x-max-length": 2, "x-overflow": "reject-publish"})).queue
    outcomes: list[bool] = []
    done: Deferred[None] = Deferred()

    def confirmed(tag: int, multiple: bool, taken: bool) -> None:
        outcomes.extend([taken] * (tag - len(outcomes) if multiple else 1))
        if len(outcomes) == 4:
            done.callback(None)

    channel.on_confirm = confirmed
    await channel.confirm_select()
    for _ in range(4):
        channel.basic_publish(routing_key=queue, content=Content(b"x"))
    await soon(done)
    assert sorted(outcomes) == [False, False, True, True]


@pytest_twisted.ensureDeferred
async def test_a_mandatory_message_to_nobody_comes_back_before_its_confirm(channel: WireChannel) -> None:
    seen: DeferredQueue[Any] = DeferredQueue()
    channel.on_return = seen.put
    channel.on_confirm = lambda tag, multiple, taken: seen.put(tag)
    await channel.confirm_select()
    content = Content(b"\xff", properties={"message-id": "7"})
    channel.basic_publish(routing_key="nobody", mandatory=True, content=content)
    returned = await soon(seen.get())
    assert (returned.reply_code, returned.content.properties["message-id"]) == (312, "7")
    assert await soon(seen.get()) == 1


@pytest_twisted.ensureDeferred
async def test_a_consumer_hears_that_its_queue_is_gone(client: WireClient, channel: WireChannel) -> None:
    queue, _ = await consumed(channel)
    gone: Deferred[str] = Deferred()
    channel.on_cancel = gone.callback
    await (await opened(client)).queue_delete(queue=queue)
    assert await soon(gone) == queue
    assert not channel.consumers


@pytest_twisted.ensureDeferred
async def test_a_channel_error_closes_that_channel_only(client: WireClient, channel: WireChannel) -> None:
    other, told = await opened(client), []
    other.on_close = told.append
    with pytest.raises(ChannelClosed, match="404 NOT_FOUND.*no queue 'nowhere'"):
        await other.queue_declare(queue="nowhere", passive=True)
    assert len(told) == 1
    with pytest.raises(ChannelClosed, match="404"):
        other.basic_publish(routing_key="x", content=Content(b""))
    queue, arrived = await consumed(channel)
    again = await opened(client)
    assert again.id == other.id
    again.basic_publish(routing_key=queue, content=Content(b"on the same number"))
    assert (await soon(arrived.get())).content.body == b"on the same number"


@pytest_twisted.ensureDeferred
async def test_an_exchange_feeds_another(channel: WireChannel) -> None:
    for exchange in ("test-first", "test-second"):
        await channel.exchange_declare(exchange=exchange, type="fanout", auto_delete=True)
    await channel.exchange_bind(destination="test-second", source="test-first")
    queue, arrived = await consumed(channel)
    await channel.queue_bind(queue=queue, exchange="test-second")
    channel.basic_publish(exchange="test-first", content=Content(b"x"))
    assert (await soon(arrived.get())).exchange == "test-first"


@pytest_twisted.ensureDeferred
async def test_nothing_is_left_of_consumers_and_channels(client: WireClient) -> None:
    before = set(client.channels)
    for _ in range(50):
        channel = await opened(client)
        queue, _ = await consumed(channel)
        await channel.basic_cancel(consumer_tag=queue)
        await channel.leave()
    assert set(client.channels) == before
    assert max(before | {channel.id}) < 3


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_said_so(rabbitmq: RabbitMq) -> None:
    with pytest.raises(Closed, match="403 ACCESS_REFUSED"):
        await connected(rabbitmq, password="wrong")


@pytest_twisted.ensureDeferred
async def test_a_frozen_broker_is_given_up_after_three_heartbeats(rabbitmq: RabbitMq) -> None:
    client = await connected(rabbitmq, heartbeat=1.0)
    channel = await opened(client)
    await soon(_after(2.5))  # idle, with heartbeats, it stays
    assert not client.closed
    rabbitmq.freeze()
    frozen = reactor.seconds()
    try:
        with pytest.raises(Closed):
            await channel.queue_declare(exclusive=True)
        assert 1.5 < reactor.seconds() - frozen < 6.0
        await soon(client.disconnected.wait())
    finally:
        rabbitmq.thaw()


def _after(seconds: float) -> "Deferred[None]":
    done: Deferred[None] = Deferred()
    call: Callable[..., Any] = reactor.callLater
    call(seconds, done.callback, None)
    return done
