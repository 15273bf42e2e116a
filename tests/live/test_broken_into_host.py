"""A host that was broken into has its password and gets nowhere with it, at the broker and beyond it."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher
from txamqp.content import Content

from stackd import errors
from stackd.bus.amqp import envelope
from stackd.bus.amqp.serving import SENDER
from stackd.bus.amqp.settings import AmqpSettings
from stackd.bus.amqp.wire import WireChannel
from stackd.model import wire
from stackd.model.assignments import FloatingReport, InstanceReport, PortReport, Report
from stackd.model.faults import Fault, FaultCode
from stackd.model.instances import GuestState, ObservedInstance
from stackd.model.networks import WiringState
from stackd.testing.broker import RabbitMq
from stackd.workers.reporter import BATCH
from tests.live.prey import EVIL, GOOD, Prey, prey_of
from tests.live.rabbitmq_fixtures import Buses, after, begun, buses, rabbitmq, soon

__all__ = ["buses", "rabbitmq"]

Act = Callable[[WireChannel, str], Any]
NEVER = 4_000_000_000.0


@pytest_twisted.async_yield_fixture
async def prey(buses: Buses, rabbitmq: RabbitMq) -> Any:
    """The cloud; at the end it still serves the good."""
    prey = await prey_of(buses, rabbitmq)
    yield prey
    await prey.settled()


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """What is logged, as events."""
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def call(method: str, body: dict[str, Any]) -> bytes:
    """A call as it travels."""
    return envelope.dump(envelope.Call(method=method, deadline=NEVER, body=body))


def report(host: str, prey: Prey, victim: str, **changes: Any) -> list[Report]:
    """An instance is gone and faulted, its port too, its address withdrawn; as of the newest generation."""
    row = prey.cloud.row(victim)
    view = prey.cloud.run(prey.cloud.core.instances.get(prey.cloud.admin, victim))
    port = view.ports[0]
    floating = next(one for one in prey.cloud.run(prey.cloud.core.addresses.list(prey.cloud.admin))
                    if one.port_id == port.id)
    fault = Fault(code=FaultCode.HYPERVISOR, generation=row.generation, message="pwned")
    gone = ObservedInstance(state=GuestState.ABSENT, generation=row.generation, at=2e9)
    mark: dict[str, Any] = {"host": host, "session": 1, "counter": 10**6} | changes
    return [
        Report(worker="compute", instances=tuple(
            InstanceReport(id=victim, epoch=row.placement_epoch, observed=gone, fault=why, powered_off_itself=off)
            for why in (fault, None) for off in (True, False)), **mark),
        Report(worker="network", ports=(
            PortReport(id=port.id, observed=WiringState.ABSENT, generation=port.generation, fault=fault),),
            floating_ips=(FloatingReport(id=floating.id, observed=WiringState.ABSENT,
                                         generation=floating.generation),), **mark)]


# --- at the broker: each of these it refuses, and closes the channel -------------------------------

REFUSED: dict[str, Act] = {
    "read the conductor's calls": lambda c, p: c.basic_consume(queue=f"{p}.conductor.calls"),
    "read the conductor's reports": lambda c, p: c.basic_get(queue=f"{p}.conductor.reports"),
    "read another host's calls": lambda c, p: c.basic_consume(queue=f"{p}.compute@{GOOD}.calls"),
    "read another host's wakes": lambda c, p: c.basic_get(queue=f"{p}.network@{GOOD}.wakes"),
    "read the registry's calls": lambda c, p: c.basic_consume(queue=f"{p}.registry.calls"),
    "read what was set aside": lambda c, p: c.basic_get(queue=f"{p}.dead"),
    "purge the reports": lambda c, p: c.queue_purge(queue=f"{p}.conductor.reports"),
    "purge what was set aside": lambda c, p: c.queue_purge(queue=f"{p}.dead"),
    "delete the reports": lambda c, p: c.queue_delete(queue=f"{p}.conductor.reports"),
    "delete another host's queue": lambda c, p: c.queue_delete(queue=f"{p}.compute@{GOOD}.calls"),
    "delete the exchange": lambda c, p: c.exchange_delete(exchange=p),
    "make an exchange": lambda c, p: c.exchange_declare(exchange=f"{p}.mine", type="fanout", durable=True),
    "make any queue": lambda c, p: c.queue_declare(queue="mine"),
    "make a queue the broker names": lambda c, p: c.queue_declare(queue="", exclusive=True),
    "make a queue like its own": lambda c, p: c.queue_declare(queue=f"{p}.compute@{EVIL}.reports"),
    "make a longer one": lambda c, p: c.queue_declare(queue=f"{p}.compute@{EVIL}.calls.more"),
    "serve as another host": lambda c, p: c.queue_declare(queue=f"{p}.volume@{GOOD}.calls"),
    "serve as a scheduler": lambda c, p: c.queue_declare(queue=f"{p}.scheduler.more"),
    "hear itself by the exchange": lambda c, p: c.queue_bind(
        queue=f"{p}.compute@{EVIL}.calls", exchange=p, routing_key=f"{p}.compute@{EVIL}.calls"),
    "hear everything": lambda c, p: c.queue_bind(queue=f"{p}.compute@{EVIL}.calls", exchange=p, routing_key="#"),
    "hear the conductor": lambda c, p: c.queue_bind(
        queue=f"{p}.compute@{EVIL}.calls", exchange=p, routing_key=f"{p}.conductor.reports"),
    "hear another host": lambda c, p: c.queue_bind(
        queue=f"{p}.compute@{EVIL}.calls", exchange=p, routing_key=f"{p}.compute@{GOOD}.calls"),
    "hear hosts by a pattern": lambda c, p: c.queue_bind(
        queue=f"{p}.compute@{EVIL}.calls", exchange=p, routing_key=f"{p}.*.calls"),
    "unbind the conductor": lambda c, p: c.queue_unbind(
        queue=f"{p}.conductor.calls", exchange=p, routing_key=f"{p}.conductor.calls"),
    "bind exchanges": lambda c, p: c.exchange_bind(destination=p, source="amq.topic", routing_key="#"),
    "bind to the broker's exchanges": lambda c, p: c.queue_bind(
        queue=f"{p}.compute@{EVIL}.calls", exchange="amq.topic", routing_key="#"),
    "hear the broker's trace": lambda c, p: c.queue_bind(
        queue=f"{p}.compute@{EVIL}.calls", exchange="amq.rabbitmq.trace", routing_key="#"),
    "call another host": lambda c, p: c.basic_publish(exchange=p, routing_key=f"{p}.compute@{GOOD}.calls"),
    "wake the scheduler": lambda c, p: c.basic_publish(exchange=p, routing_key=f"{p}.scheduler.wakes"),
    "call the registry": lambda c, p: c.basic_publish(exchange=p, routing_key=f"{p}.registry.calls"),
    "call with a line's end": lambda c, p: c.basic_publish(exchange=p, routing_key=f"{p}.registry.calls\n"),
    "write into what was set aside": lambda c, p: c.basic_publish(exchange=f"{p}.dead"),
    "write into the broker's exchanges": lambda c, p: c.basic_publish(exchange="amq.fanout"),
    "set aside what it refuses itself": lambda c, p: _redeclared(c, p, {"x-dead-letter-exchange": f"{p}.dead"}),
}


def _redeclared(channel: WireChannel, prefix: str, arguments: dict[str, Any]) -> Any:
    async def again() -> None:
        queue = f"{prefix}.network@{EVIL}.calls"
        await channel.queue_delete(queue=queue)
        await channel.queue_declare(queue=queue, arguments=arguments)

    return begun(again())


@pytest_twisted.ensureDeferred
async def test_the_broker_refuses(prey: Prey) -> None:
    before = prey.everything()
    for what, act in REFUSED.items():
        words = await prey.closed_by(lambda channel, act=act: act(channel, prey.prefix))
        assert "ACCESS_REFUSED" in words, f"{what}: {words!r}"
    await prey.settled()
    assert prey.everything() == before


@pytest.mark.parametrize("name", ["guest", f"stackd-host-{GOOD}", ""])
@pytest_twisted.ensureDeferred
async def test_nobody_claims_to_be_another(prey: Prey, name: str) -> None:
    words = await prey.closed_by(lambda channel: channel.basic_publish(
        exchange=prey.prefix, routing_key=f"{prey.prefix}.conductor.reports",
        content=Content(b"{}", properties={"user-id": name})))
    assert "user_id property" in words


# --- beyond the broker: by the default exchange every queue is reached ------------------------------


@pytest.mark.parametrize("who", ["itself", "nobody", "a copy"])
@pytest_twisted.ensureDeferred
async def test_what_is_put_into_queues_of_others_is_refused(prey: Prey, who: str) -> None:
    signed: dict[str, Any] = {} if who == "nobody" else {"user_id": f"stackd-host-{EVIL}"}
    exchange, headers = "", {}
    before = prey.everything()
    lies = [wire.dump(each) for each in report(GOOD, prey, prey.good_instance)]
    token = {"token": "x", "request_id": "r"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("conductor", "hello", {"host": GOOD, "worker": "compute"}),
        ("conductor", "fetch", {"host": GOOD, "worker": "compute", "session": 1}),
        ("conductor", "user_data", {"host": GOOD, "instance_id": prey.good_instance}),
        ("registry", "image.delete", {"caller": wire.dump(prey.cloud.admin), "image_id": prey.cloud.image.id}),
        ("registry", "image.forget_bytes", {"image_id": prey.cloud.image.id}), ("registry", "caller.of_token", token),
        (f"compute@{GOOD}", "echo", {"host": EVIL}), (f"compute@{GOOD}", "silence", {"host": GOOD})]
    for address, method, body in calls:
        queue = f"{prey.prefix}.{address}.calls"
        if who == "a copy":  # what the broker routes by the header it does not hold against the permissions
            headers, queue, exchange = {"CC": [queue]}, f"{prey.prefix}.conductor.calls", prey.prefix
        await prey.put(queue, call(method, body), exchange, headers=headers, **signed)
    for lie in lies:
        await prey.put(f"{prey.prefix}.conductor.reports", envelope.dump(envelope.Report(body=lie)), **signed)
    for address in ("conductor", "scheduler", f"compute@{GOOD}"):
        await prey.put(f"{prey.prefix}.{address}.wakes", envelope.dump(envelope.Wake(body={"within": 0})), **signed)
    while len(await prey.control.set_aside()) < len(lies):
        await after(0.05)
    await prey.settled()
    assert prey.everything() == before
    assert not prey.good_worker.wakes.pending and not prey.good_worker.silenced


@pytest_twisted.ensureDeferred
async def test_it_may_ask_for_nothing_of_others(prey: Prey) -> None:
    before = prey.everything()
    foreign = {"host": GOOD, "worker": "compute", "session": 1}
    for method, body in (("hello", foreign), ("fetch", foreign), ("fetch", foreign | {"held": [prey.good_instance]}),
                         ("user_data", {"host": GOOD, "instance_id": prey.good_instance})):
        with pytest.raises(errors.NotAllowed, match="may not speak for 'host-1'"):
            await prey.evil.call("conductor", method, body)
    for word in ("echo", "reported", "woken", "__init__"):
        with pytest.raises(errors.NotAllowed):
            await prey.evil.call("conductor", word, {"host": EVIL})
    with pytest.raises(errors.NotFound):
        await prey.evil.call("conductor", "user_data", {"host": EVIL, "instance_id": prey.good_instance})
    own = {"host": EVIL, "worker": "compute", "session": 1, "held": [prey.good_instance]}
    told = str(await prey.evil.call("conductor", "fetch", own)) + str(
        await prey.evil.call("conductor", "fetch", own | {"worker": "network"}))
    good = prey.cloud.run(prey.cloud.core.instances.get(prey.cloud.admin, prey.good_instance)).ports[0]
    assert prey.evil_instance in told
    assert good.id not in told and good.mac not in told  # it learns that the id it named is of another host, no more
    assert prey.everything() == before


@pytest_twisted.ensureDeferred
async def test_it_may_tell_nothing_of_others(prey: Prey) -> None:
    before = prey.everything()
    for lie in report(EVIL, prey, prey.good_instance):
        await prey.evil.report("conductor", wire.dump(lie))
    await prey.settled()
    assert prey.everything() == before
    for lie in report(GOOD, prey, prey.good_instance):
        await prey.evil.report("conductor", wire.dump(lie))
    while len(await prey.control.set_aside()) < 2:
        await after(0.05)
    await prey.settled()
    assert prey.everything() == before


@pytest_twisted.ensureDeferred
async def test_its_own_row_stays_open_to_it_when_it_was_mended(prey: Prey) -> None:
    for session in (2, 10**9, 2**62):
        for lie in report(EVIL, prey, prey.evil_instance, session=session):
            await prey.evil.report("conductor", wire.dump(lie))
    await prey.settled()
    assert prey.cloud.row(prey.evil_instance).fault is None
    hello = {"host": EVIL, "worker": "compute", "zone": "z"}
    session = await prey.evil.call("conductor", "hello", hello)
    assert session < 10
    truth, _ = report(EVIL, prey, prey.evil_instance, session=session, counter=1)
    await prey.evil.report("conductor", wire.dump(truth))
    while prey.cloud.row(prey.evil_instance).fault is None:
        await after(0.05)


# --- answers and detours ---------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_it_cannot_answer_for_others(prey: Prey) -> None:
    seen: list[Any] = []
    channel = await prey.channel()
    queue = f"{prey.prefix}.compute@{EVIL}.calls"
    channel.consumers["spy"] = lambda channel, message: seen.append(message)
    await channel.basic_qos(prefetch_count=0)
    await channel.basic_consume(queue=queue, consumer_tag="spy", no_ack=True)
    for _ in range(4):  # who is asked for its own console learns where answers go
        begun(prey.control.call(f"compute@{EVIL}", "silence", {}, 30.0)).addErrback(lambda failure: None)
    while not seen:
        await after(0.02)
    properties = seen[0].content.properties
    victim: Deferred[Any] = begun(prey.control.call(f"compute@{GOOD}", "silence", {}, 30.0))
    while not prey.good_worker.silenced:
        await after(0.02)
    forged = envelope.dump(envelope.Reply(ok="forged"))
    for guess in [properties["correlation-id"], "", *map(str, range(200))]:
        channel.basic_publish(routing_key=properties["reply-to"],
                              content=Content(forged, properties={"correlation-id": guess}))
    await after(0.3)
    assert not victim.called
    prey.good_worker.silenced[0].callback(None)
    assert await soon(victim) == "late"


@pytest_twisted.ensureDeferred
async def test_nobody_writes_for_it_where_it_may_not(prey: Prey) -> None:
    """The conductor answers whoever asks, but not into queues."""
    spied: list[Any] = []
    channel = prey.control._connection.client.new_channel()  # type: ignore[union-attr]
    await channel.channel_open()
    await channel.queue_declare(queue=f"{prey.prefix}.target")
    channel.consumers["spy"] = lambda channel, message: spied.append(message)
    await channel.basic_consume(queue=f"{prey.prefix}.target", consumer_tag="spy", no_ack=True)
    await prey.put(f"{prey.prefix}.conductor.calls", call("fetch", {"host": EVIL, "worker": "compute", "session": 1}),
                   prey.prefix, user_id=f"stackd-host-{EVIL}", reply_to=f"{prey.prefix}.target")
    await prey.settled()
    await after(0.2)
    assert spied == []


def made_up(raw: bytes) -> str:
    """An address for answers with this as the process of a channel."""
    return f"amq.rabbitmq.reply-to.{b64encode(raw).decode()}.x"


MADE_UP = [
    "amq.rabbitmq.reply-to.!.x", "amq.rabbitmq.reply-to.AAAA.x", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.a",
    "amq.rabbitmq.reply-to.x.y.z", made_up(b"\x83m\0\0\0\1x"), made_up(b"\x83Xw\x05reply" + b"\0" * 12),
    # In form, and of a node that is not there: alone the broker knows.
    made_up(b"\x83Xw\x0breply@12345" + b"\0" * 12), made_up(b"\x83Xv\0\x10rabbit@localhost" + b"\0" * 12),
    made_up(b"\x83gd\0\x0breply@99999" + b"\0" * 9)]


@pytest.mark.parametrize("first", [True, False])
@pytest_twisted.ensureDeferred
async def test_it_cuts_no_connection_with_where_its_answer_is_to_go(prey: Prey, first: bool) -> None:
    """Before anybody was answered, and when others were."""
    if not first:
        await prey.settled()
    before = prey.control._connection.client, prey.good._connection.client
    for to in MADE_UP:
        for queue in ("conductor", "registry", f"compute@{GOOD}"):
            await prey.put(f"{prey.prefix}.{queue}.calls", call("fetch", {"host": EVIL, "worker": "compute"}),
                           user_id=f"stackd-host-{EVIL}", reply_to=to)
    await after(0.5)
    await prey.settled()
    assert (prey.control._connection.client, prey.good._connection.client) == before


@pytest_twisted.ensureDeferred
async def test_it_cannot_hand_on_what_others_told_it(prey: Prey) -> None:
    """Its queue may send what it holds elsewhere; the sender of that is the control plane."""
    before = prey.everything()
    channel = await prey.channel()
    queue = f"{prey.prefix}.network@{EVIL}.wakes"
    await channel.queue_delete(queue=queue)
    await channel.queue_declare(queue=queue, durable=True, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{prey.prefix}.conductor.reports",
        "x-message-ttl": 0})
    prey.control.wake(f"network@{EVIL}", {"host": GOOD, "worker": "compute", "session": 10**6, "counter": 1})
    while not (letters := await prey.control.set_aside()):
        await after(0.05)
    assert len(letters) == 1
    await prey.settled()
    assert prey.everything() == before


@pytest_twisted.ensureDeferred
async def test_what_is_sent_again_for_it_is_still_its_own(prey: Prey) -> None:
    """An operator who requeues what was set aside lends it no authority."""
    lie, _ = report(GOOD, prey, prey.good_instance)
    before = prey.everything()
    channel = prey.control._connection.client.new_channel()  # type: ignore[union-attr]
    await channel.channel_open()
    for sender in (f"stackd-host-{EVIL}", "nobody", "?"):
        channel.basic_publish(
            exchange=prey.prefix, routing_key=f"{prey.prefix}.conductor.reports", content=Content(
                envelope.dump(envelope.Report(body=wire.dump(lie))),
                properties={"user-id": "guest", "headers": {SENDER: sender}}))
    while len(await prey.control.set_aside()) < 3:
        await after(0.05)
    assert prey.everything() == before


@pytest_twisted.ensureDeferred
async def test_whoever_it_claims_to_have_been_does_not_speak_for_it(prey: Prey) -> None:
    """It names the control plane as the first sender, and puts what it likes among what was set aside."""
    lie = envelope.dump(envelope.Report(body=wire.dump(report(GOOD, prey, prey.good_instance)[0])))
    before, user = prey.everything(), f"stackd-host-{EVIL}"
    await prey.put(f"{prey.prefix}.conductor.reports", lie, prey.prefix, user_id=user, headers={SENDER: "guest"})
    await prey.put(f"{prey.prefix}.dead", lie, user_id=user, headers={SENDER: "guest", "x-death": "often"})
    while len(letters := await prey.control.set_aside()) < 2:
        await after(0.05)
    assert {letter.sender for letter in letters} == {f"{user}, guest"}
    assert len(await prey.control.dead_letters().requeue(None)) == 1
    while len(await prey.control.set_aside()) < 2:
        await after(0.05)
    assert prey.everything() == before


# --- poison and floods -----------------------------------------------------------------------------

POISON = {
    "nothing": b"", "no JSON": b"\xff\xfe", "a number": b"3", "a list": b"[]", "no body": b'{"v": 1}',
    "a list as body": b'{"v": 1, "body": []}', "another version": b'{"v": 2, "body": {}}',
    "a version of text": b'{"v": "1", "body": {}}',
    "deep": b'{"v": 1, "body": {"host": "host-2", "x": ' + b"[" * 100_000,
    "deep and whole": b'{"v": 1, "body": {"host": "host-2", "instances": ' + b"[" * 900 + b"]" * 900 + b"}}",
    "long": b'{"v": 1, "body": {"host": "host-2", "x": "' + b"y" * (9 * 1024 * 1024) + b'"}}',
    "longer than a host's are": orjson.dumps({"v": 1, "method": "hello", "deadline": NEVER, "body": {
        "host": EVIL, "worker": "compute", "session": 10**6, "counter": 1, "x": "y" * 1024 * 1024}}),
    "a method of numbers": orjson.dumps({"v": 1, "method": 3, "deadline": NEVER, "body": {"host": EVIL}}),
    "a long method": orjson.dumps({"v": 1, "method": "m" * 500_000, "deadline": NEVER, "body": {"host": EVIL}}),
    "a deadline of text": orjson.dumps({"v": 1, "method": "fetch", "deadline": "now", "body": {"host": EVIL}}),
    "a deadline that is true": orjson.dumps({"v": 1, "method": "fetch", "deadline": True, "body": {"host": EVIL}}),
    "no deadline": orjson.dumps({"v": 1, "method": "fetch", "deadline": None, "body": {"host": EVIL}}),
    "user data of nobody": orjson.dumps({"v": 1, "method": "user_data", "deadline": NEVER, "body": {"host": EVIL}}),
    "user data of a list": orjson.dumps({"v": 1, "method": "user_data", "deadline": NEVER, "body": {
        "host": EVIL, "instance_id": []}}),
    "half a report": b'{"v": 1, "body": {"host": "host-2", "worker": "compute"}}',
    "large numbers": orjson.dumps({"v": 1, "body": {
        "host": "host-2", "worker": "compute", "session": 1, "counter": 2**63 - 1, "instances": [{
            "id": "a" * 32, "epoch": 2**63 - 1, "observed": {"state": "running", "generation": 2**63 - 1}}]}}),
    "an unknown state": orjson.dumps({"v": 1, "body": {
        "host": "host-2", "worker": "compute", "session": 1, "counter": 1, "instances": [{
            "id": "a" * 32, "epoch": 1, "observed": {"state": "pwned", "generation": 1}}]}}),
    "a long unknown state": orjson.dumps({"v": 1, "method": "hello", "deadline": NEVER, "body": {
        "host": "host-2", "worker": "compute", "session": 1, "counter": 1, "capacity": {"vcpus": "x" * 500_000},
        "instances": [{"id": "a", "epoch": 1, "observed": {"state": "x" * 500_000, "generation": 1}}]}}),
    "NUL": orjson.dumps({"v": 1, "body": {
        "host": "host-2", "worker": "compute", "session": 1, "counter": 1, "instances": [{
            "id": "a\0", "epoch": 1, "observed": {"state": "running", "generation": 1}}]}}),
}


@pytest_twisted.ensureDeferred
async def test_poison_is_set_aside_at_once(prey: Prey, logged: list[dict[str, Any]]) -> None:
    before = prey.everything()
    signed = {"user_id": f"stackd-host-{EVIL}"}
    for poison in POISON.values():
        await prey.put(f"{prey.prefix}.conductor.reports", poison, prey.prefix, **signed)
        await prey.put(f"{prey.prefix}.conductor.calls", poison, prey.prefix, **signed)
    while len(await prey.control.set_aside(1000)) < len(POISON):
        await after(0.05)
    await prey.settled()
    assert prey.everything() == before
    assert not [event for event in logged if "log_failure" in event]
    assert max((len(formatEvent(event)) for event in logged), default=0) < 1000


@pytest_twisted.ensureDeferred
async def test_what_is_longer_than_a_hosts_messages_is_not_looked_at(prey: Prey) -> None:
    """What the control plane says may be as long."""
    with pytest.raises(errors.PayloadTooLarge, match="1048576"):
        await prey.evil.call("conductor", "hello", {"host": EVIL, "x": "y" * 1024 * 1024})
    assert (await prey.control.call(f"compute@{GOOD}", "echo", {"x": "y" * 2 * 1024 * 1024}))["x"]


def test_the_longest_report_of_a_host_may_pass() -> None:
    fault = Fault(code=FaultCode.HYPERVISOR, generation=10**6, message="m" * 2200, detail="d" * 2300, at=2e9)
    words = tuple(InstanceReport(id=f"{n:032}", epoch=10**6, fault=fault, observed=ObservedInstance(
        state=GuestState.RUNNING, generation=10**6, reboots=100, at=2e9)) for n in range(BATCH))
    longest = Report(host="h" * 200, worker="compute", session=10**6, counter=10**9, instances=words)
    raw = envelope.dump(envelope.Report(body=wire.dump(longest)))
    assert len(raw) < 0.8 * AmqpSettings().largest_of_hosts


@pytest_twisted.ensureDeferred
async def test_a_call_whose_number_is_no_text_is_told_in_few_words(prey: Prey, logged: list[dict[str, Any]]) -> None:
    body = call("fetch", {"host": EVIL, "worker": "compute", "session": 1})
    channel = await prey.channel()
    channel.consumers["replies"] = lambda channel, message: None
    await channel.basic_consume(queue="amq.rabbitmq.reply-to", consumer_tag="replies", no_ack=True)
    for _ in range(3):
        channel.basic_publish(exchange=prey.prefix, routing_key=f"{prey.prefix}.conductor.calls", content=Content(
            body, properties={"user-id": f"stackd-host-{EVIL}", "reply-to": "amq.rabbitmq.reply-to",
                              "correlation-id": b"\xff\xfe"}))
    await soon(channel.exchange_declare(exchange=prey.prefix, passive=True))
    await prey.settled()
    assert not [event for event in logged if "log_failure" in event]
    assert any("number of a call" in formatEvent(event) for event in logged)


@pytest_twisted.ensureDeferred
async def test_a_flood_is_bounded_and_others_are_served(prey: Prey) -> None:
    before = prey.everything()
    channel = await prey.channel()
    lie = envelope.dump(envelope.Report(body={"host": GOOD}))
    for number in range(3000):
        signed = {"user-id": f"stackd-host-{EVIL}"}
        channel.basic_publish(exchange=prey.prefix, routing_key=f"{prey.prefix}.conductor.reports",
                              content=Content(lie, properties=signed))
        channel.basic_publish(exchange=prey.prefix, routing_key=f"{prey.prefix}.conductor.calls", content=Content(
            call("fetch", {"host": GOOD, "n": number}), properties=signed))
    await soon(channel.exchange_declare(exchange=prey.prefix, passive=True))
    honest = {"host": GOOD, "worker": "compute", "session": 1}
    for _ in range(20):
        try:
            assert await prey.good.call("conductor", "fetch", honest, 20.0)
            break
        except errors.CallTimedOut:  # the oldest calls made room for the newest
            continue
    while True:
        try:
            await prey.good.report("conductor", {**honest, "counter": 1})
            break
        except errors.Overloaded:
            await after(0.05)
    await prey.settled()
    assert len(await prey.control.set_aside(1000)) <= 30
    assert prey.everything() == before
