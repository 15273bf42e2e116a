"""The wire layer without a broker: frames in any pieces, one write for each message, heartbeats, and garbage."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from txamqp.client import Closed
from txamqp.content import Content

from stackd.bus.amqp import spec as table
from stackd.bus.amqp.delegate import WireDelegate
from stackd.bus.amqp.fields import read_table, read_value, write_shortstr, write_table, write_value
from stackd.bus.amqp.frames import PROTOCOL_HEADER, codec, content_frames, frame
from stackd.bus.amqp.wire import SPEC, WireClient


class Transport(StringTransport):
    """Counts writes, and can be aborted."""

    writes = 0
    aborted = False

    def write(self, data: bytes) -> None:
        self.writes += 1
        super().write(data)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it."""

    def abortConnection(self) -> None:
        self.aborted = True


def said(class_: str, method: str, *args: Any, channel: int = 0) -> bytes:
    """A method frame as a broker would send it."""
    found = SPEC.classes.byname[class_].methods.byname[method]
    return frame(table.FRAME_METHOD, channel, codec(found).encode(args))


@pytest.fixture
def client(clock: Clock) -> WireClient:
    """Logged in at a broker that wants a heartbeat each 10 s."""
    client = WireClient(WireDelegate("test"), "/", 15.0, clock)
    client.makeConnection(Transport())
    client.authenticate("me", "secret").send(None)
    client.dataReceived(said("connection", "start", 0, 9, {"product": "test"}, "PLAIN", "en_US"))
    client.dataReceived(said("connection", "tune", 100, 4096, 10))
    client.dataReceived(said("connection", "open-ok", ""))
    client.transport.clear()
    client.transport.writes = 0
    return client


def test_speaks_0_9_1_first(clock: Clock) -> None:
    client = WireClient(WireDelegate("test"), "/", 15.0, clock)
    client.makeConnection(Transport())
    assert client.transport.value() == PROTOCOL_HEADER


def test_the_smaller_limits_count(client: WireClient) -> None:
    assert (client.channel_max, client.MAX_LENGTH, client.heartbeatInterval) == (100, 4096, 10)


def test_a_publish_is_one_write_and_no_frame_is_too_long(client: WireClient) -> None:
    body = b"x" * 10_000
    client.channel(1).basic_publish(routing_key="q", content=Content(body))
    assert client.transport.writes == 1
    raw, kinds, sizes = client.transport.value(), [], []
    while raw:
        kind, _, size = struct.unpack_from(">BHI", raw)
        kinds.append(kind)
        sizes.append(size + 8)
        raw = raw[size + 8:]
    assert kinds == [1, 2, 3, 3, 3]
    assert max(sizes) == 4096


@pytest.mark.parametrize("step", [1, 7, 4000, 10**6])
def test_frames_may_arrive_in_any_pieces(client: WireClient, step: int) -> None:
    arrived: list[Any] = []
    client.channel(1).consumers["t"] = lambda channel, message: arrived.append(message)
    klass = SPEC.classes.byname["basic"]
    content = Content(b"\xce\xff" * 3000, properties={"headers": {"n": 1}})
    frames = [said("basic", "deliver", "t", 5, True, "e", "k", channel=1), *content_frames(1, klass, content, 4096)]
    raw = b"".join([*frames, frame(table.FRAME_HEARTBEAT, 0, b"")]) * 2
    for start in range(0, len(raw), step):
        client.dataReceived(raw[start:start + step])
    assert [each.content.body for each in arrived] == [content.body] * 2
    assert (arrived[1].delivery_tag, arrived[1].redelivered) == (5, True)


@pytest.mark.parametrize("raw", [
    b"AMQP\x00\x00\x09\x01", frame(1, 0, b"\x00\x63\x00\x01"), frame(9, 0, b""), frame(1, 0, b"")[:-1] + b"\x00",
    struct.pack(">BHI", 1, 0, 2**30) + b"x", frame(3, 0, b"body of nothing")])
def test_garbage_ends_the_connection(client: WireClient, raw: bytes, lost_failures: list[Any]) -> None:
    client.dataReceived(raw)
    assert client.closed
    assert client.transport.aborted
    with pytest.raises(Closed):
        client.new_channel()
    assert len(lost_failures) == 1
    lost_failures.clear()


def test_what_nobody_expects_is_left_alone(client: WireClient) -> None:
    client.dataReceived(said("connection", "update-secret-ok"))
    client.dataReceived(said("basic", "deliver", "t", 1, False, "", "", channel=9))
    assert not client.closed


def test_heartbeats_go_out_and_silence_ends_it(client: WireClient, clock: Clock) -> None:
    beat = frame(table.FRAME_HEARTBEAT, 0, b"")
    for _ in range(5):
        clock.advance(10)
        client.dataReceived(beat)
    assert client.transport.value() == beat * 5
    clock.pump([10.0, 10.0])
    assert not client.transport.aborted
    clock.advance(10)
    assert client.transport.aborted


def test_everybody_who_waits_is_told_of_the_end(client: WireClient) -> None:
    channel, told, outcomes = client.channel(1), [], []
    channel.on_close = told.append
    for _ in range(2):
        channel.queue_declare(queue="q").addErrback(lambda failure: outcomes.append(str(failure.value)))
    client.dataReceived(said("connection", "close", 320, "CONNECTION_FORCED - bye", 0, 0))
    assert outcomes == ["320 CONNECTION_FORCED - bye"] * 2
    assert len(told) == 1
    assert client.transport.disconnecting
    assert not client.channels


def test_flow_is_told(client: WireClient) -> None:
    seen: list[tuple[bool, bool]] = []
    client.on_flow = lambda: seen.append((client.blocked, client.congested))
    client.dataReceived(said("connection", "blocked", "low on memory") + said("connection", "unblocked"))
    client.pauseProducing()
    client.resumeProducing()
    assert seen == [(True, False), (False, False), (False, True), (False, False)]


def test_unknown_properties_are_refused(client: WireClient) -> None:
    with pytest.raises(ValueError, match="colour"):
        client.channel(1).basic_publish(content=Content(b"", properties={"colour": "red"}))
    assert client.transport.writes == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2**63, 2**63 - 1) | st.floats(allow_nan=False) | st.binary(max_size=300)
    | st.text(st.characters(codec="utf-8"), max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4), max_leaves=20)


@given(st.dictionaries(st.text(max_size=60), VALUES, max_size=6))
def test_any_table_comes_back(values: dict[str, Any]) -> None:
    raw = write_table(values)
    assert read_table(b"\x00" + raw + b"rest", 1) == (values, 1 + len(raw))


def test_what_has_no_form_is_refused() -> None:
    for value in (2**63, {1, 2}, object()):
        with pytest.raises(ValueError, match="64 bits|cannot stand"):
            write_value(value)
    with pytest.raises(ValueError, match="longer than 255"):
        write_shortstr("ä" * 128)
    with pytest.raises(ValueError, match="unknown field type"):
        read_value(b"?", 0)


@pytest.mark.parametrize(("raw", "value"), [
    (b"b\xff", -1), (b"B\xff", 255), (b"s\xff\xfe", -2), (b"u\xff\xfe", 65534), (b"i\xff\xff\xff\xff", 2**32 - 1),
    (b"L\xff\xff\xff\xff\xff\xff\xff\xff", -1), (b"f\x3f\x00\x00\x00", 0.5)])
def test_types_that_only_brokers_write(raw: bytes, value: float) -> None:
    assert read_value(raw, 0) == (value, len(raw))


@pytest.mark.parametrize("name", ["confirm_select", "basic_nack", "exchange_bind", "connection_blocked",
                                  "connection_update_secret", "queue_unbind"])
def test_rabbitmqs_methods_are_there(name: str) -> None:
    assert callable(getattr(SPEC.klass, name))
