"""The AMQP bus keeps the contract of every bus over a real broker."""

import json
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from txamqp.content import Content

from stackd import errors
from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.users import host_definitions, host_permissions
from stackd.rules.admitting import Admission
from stackd.testing.contracts.bus import BusContract, ListeningEndpoint
from tests.live.rabbitmq_fixtures import SETTINGS, Buses, RabbitMq, after, begun, buses, rabbitmq, soon

__all__ = ["buses", "rabbitmq"]

class TestAmqpBus(BusContract):
    """Every test with queues of its own."""

    @pytest_twisted.async_yield_fixture
    async def bus(self, rabbitmq: RabbitMq) -> Any:
        buses = Buses(rabbitmq)
        yield buses.add()
        await buses.stop()

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        return await soon(deferred)

    @pytest_twisted.ensureDeferred
    async def test_defects_come_back_as_internal(self, bus: AmqpBus, lost_failures: list[Any]) -> None:
        await super().test_defects_come_back_as_internal(bus)
        assert [event["log_failure"].type for event in lost_failures] == [ZeroDivisionError]
        lost_failures.clear()


class Stubborn(ListeningEndpoint):
    """Can never apply a report."""

    tries = 0

    async def reported(self, body: dict[str, Any]) -> None:
        self.tries += 1
        raise ValueError("poison")


@pytest_twisted.ensureDeferred
async def test_poison_is_set_aside_and_shown(buses: Buses, lost_failures: list[Any]) -> None:
    bus, endpoint = buses.add(tries=3, redeliver_first=0.01), Stubborn()
    await bus.serve("conductor", endpoint)
    await bus.report("conductor", {"n": 1})
    while not (letters := await bus.set_aside()):
        await after(0.05)
    assert [(each.address, each.reason, each.body) for each in letters] == [("conductor", "rejected", {"n": 1})]
    assert await bus.set_aside() == letters  # looking takes nothing away
    assert endpoint.tries == 3
    assert [event["address"] for event in lost_failures] == ["conductor"]
    lost_failures.clear()


@pytest_twisted.ensureDeferred
async def test_a_report_that_daemons_die_of_is_set_aside(buses: Buses) -> None:
    sender = buses.add(delivery_limit=2)
    died: list[AmqpBus] = []

    class Dying(ListeningEndpoint):
        async def reported(self, body: dict[str, Any]) -> None:
            died.append(bus)
            bus._connection.client.transport.abortConnection()
            await Deferred()

    await sender.report("conductor", {"n": 1})
    bus = buses.add(delivery_limit=2)
    begun(bus.serve("conductor", Dying()))
    while not (letters := await sender.set_aside()):
        await after(0.1)
    assert [(each.reason, each.body) for each in letters] == [("delivery_limit", {"n": 1})]
    assert len(died) == 3


@pytest_twisted.ensureDeferred
async def test_what_a_dead_daemon_held_goes_to_another(buses: Buses) -> None:
    sender, dying, other = buses.add(), buses.add(), ListeningEndpoint()
    hung = ListeningEndpoint(refuse=10**6)
    await dying.serve("conductor", hung)
    await sender.report("conductor", {"n": 1})
    call = begun(sender.call("conductor", "silence", {}, 15.0))
    while not hung.silenced or hung.refuse == 10**6:
        await after(0.02)
    await sender.serve("conductor", other)
    await dying._connection.stopService()  # as when its process dies
    assert await soon(other.reports.get()) == {"n": 1}
    with pytest.raises(errors.OutcomeUnknown):
        await soon(call)
    assert not other.silenced  # a call is begun once at most
    hung.silenced[0].callback(None)


@pytest_twisted.ensureDeferred
async def test_a_wake_storm_collapses(buses: Buses) -> None:
    senders, serving, endpoint = [buses.add(), buses.add()], buses.add(), ListeningEndpoint()
    await serving.serve("scheduler", endpoint)
    for sender in senders:  # all are connected
        await sender.call("scheduler", "echo", {})
    for _ in range(50):
        for sender in senders:
            for _ in range(100):
                sender.wake("scheduler", {})
        await after(0.005)
    assert 1 <= len(endpoint.wakes.pending) <= 60
    endpoint.wakes.pending.clear()
    senders[0].wake("scheduler", {})
    assert await soon(endpoint.wakes.get()) == {}


@pytest_twisted.ensureDeferred
async def test_a_busy_daemon_finds_the_newest_wakes_only(buses: Buses) -> None:
    sender, serving, endpoint = buses.add(), buses.add(wake_pause=0.5), ListeningEndpoint()
    await serving.serve("scheduler", endpoint)
    await sender.call("scheduler", "echo", {})
    for n in range(200):
        sender.wake("scheduler", {"n": n})
    while (await soon(endpoint.wakes.get()))["n"] != 199:
        assert len(endpoint.wakes.pending) < 2 * SETTINGS.most_wakes


@pytest_twisted.ensureDeferred
async def test_a_call_after_its_deadline_is_not_begun(buses: Buses) -> None:
    caller, late, endpoint = buses.add(), buses.add(clock_skew=-3600.0), ListeningEndpoint()
    await late.serve("conductor", endpoint)
    with pytest.raises(errors.CallTimedOut, match="after its deadline.*clocks"):
        await caller.call("conductor", "silence", {})
    assert not endpoint.silenced


@pytest_twisted.ensureDeferred
async def test_a_call_that_waited_for_too_long_to_be_answered_is_not_begun(buses: Buses) -> None:
    caller, busy, endpoint = buses.add(), buses.add(calls_at_once=1), ListeningEndpoint()
    await busy.serve("conductor", endpoint)
    first, second = begun(caller.call("conductor", "silence", {})), begun(caller.call("conductor", "silence", {}, 2.0))
    await after(1.2)
    endpoint.silenced[0].callback(None)
    assert await soon(first) == "late"
    with pytest.raises(errors.CallTimedOut):
        await soon(second)
    assert len(endpoint.silenced) == 1


@pytest_twisted.ensureDeferred
async def test_reports_nobody_can_keep_are_refused(buses: Buses) -> None:
    bus = buses.add(most_kept=3)
    with pytest.raises(errors.NoSuchTarget, match="compute@h1"):
        await bus.report("compute@h1", {})
    with pytest.raises(errors.Overloaded, match="conductor"):
        for n in range(20):
            await bus.report("conductor", {"n": n})


async def _talk(body: dict[str, Any]) -> str:
    return "b" * 1000


@pytest_twisted.ensureDeferred
async def test_what_is_too_large_is_refused_on_both_ways(buses: Buses) -> None:
    caller, serving, endpoint = buses.add(), buses.add(largest=1000), ListeningEndpoint()
    await serving.serve("conductor", endpoint)
    with pytest.raises(errors.PayloadTooLarge):
        await serving.call("conductor", "echo", {"a": "b" * 1000})
    endpoint.calls["talk"] = _talk
    with pytest.raises(errors.PayloadTooLarge, match="reply"):
        await caller.call("conductor", "talk", {})


@pytest_twisted.ensureDeferred
async def test_what_others_send_too_large_is_set_aside(buses: Buses) -> None:
    foreign, conductor, endpoint = buses.add(), buses.add(largest=1000), ListeningEndpoint()
    await conductor.serve("conductor", endpoint)
    await foreign.report("conductor", {"a": "b" * 10**6})
    await foreign.report("conductor", {"n": 1})
    assert await soon(endpoint.reports.get()) == {"n": 1}
    while not (letters := await foreign.set_aside()):
        await after(0.05)
    assert [letter.reason for letter in letters] == ["rejected"]


@pytest_twisted.ensureDeferred
async def test_a_queue_of_another_form_holds_up_nothing_else(buses: Buses) -> None:
    bus, operator, endpoint = buses.add(), buses.add(), ListeningEndpoint()
    await bus.serve("compute@h1", endpoint)
    channel = operator._connection.client.new_channel()
    await channel.channel_open()
    await channel.queue_declare(queue=operator._names.calls("compute@h2"), durable=True)
    serving = begun(bus.serve("compute@h2", endpoint))
    await after(0.5)
    assert not serving.called
    assert await operator.call("compute@h1", "echo", {"n": 1}) == {"n": 1}
    await channel.queue_delete(queue=operator._names.calls("compute@h2"))
    await soon(serving)
    assert await operator.call("compute@h2", "echo", {"n": 2}) == {"n": 2}


@pytest_twisted.ensureDeferred
async def test_a_deleted_queue_is_declared_again(buses: Buses) -> None:
    bus, operator, endpoint = buses.add(), buses.add(), ListeningEndpoint()
    await bus.serve("conductor", endpoint)
    assert await operator.call("conductor", "echo", {"n": 1}) == {"n": 1}
    channel = operator._connection.client.new_channel()
    await channel.channel_open()
    await channel.queue_delete(queue=operator._names.calls("conductor"))
    with pytest.raises(errors.NoSuchTarget):
        await operator.call("conductor", "echo", {})
    assert await soon(endpoint.wakes.get()) == {}  # it may have missed something
    assert await operator.call("conductor", "echo", {"n": 2}) == {"n": 2}


@pytest_twisted.ensureDeferred
async def test_another_broker_is_tried(buses: Buses, rabbitmq: RabbitMq) -> None:
    bus = buses.add("amqp://127.0.0.1:1/", rabbitmq.url)
    await soon(begun(bus.report("conductor", {})))


@pytest_twisted.ensureDeferred
async def test_tls_with_a_trusted_certificate_only(buses: Buses, rabbitmq: RabbitMq) -> None:
    trusting = buses.add(rabbitmq.tls_url, ca_file=str(rabbitmq.certificate))
    await soon(begun(trusting.report("conductor", {"n": 1})))
    wary = buses.add(rabbitmq.tls_url, confirm_within=1.0)
    with pytest.raises(errors.OutcomeUnknown):
        await wary.report("conductor", {"n": 2})
    assert not wary.connected


@pytest_twisted.ensureDeferred
async def test_without_a_broker_messages_wait_and_are_bounded(buses: Buses) -> None:
    bus = buses.add("amqp://127.0.0.1:1/", most_waiting=2, confirm_within=0.2)
    calls = [begun(bus.call("conductor", "echo", {}, 0.2)) for _ in range(2)]
    with pytest.raises(errors.Overloaded):
        await bus.call("conductor", "echo", {})
    for call in calls:
        with pytest.raises(errors.CallTimedOut, match="No broker"):
            await call
    with pytest.raises(errors.OutcomeUnknown, match="0.2 s"):
        await bus.report("conductor", {})
    with pytest.raises(errors.CallTimedOut):  # those before hold no place any more
        await bus.call("conductor", "echo", {}, 0.1)
    waiting = begun(bus.report("conductor", {}))
    await bus.stopService()
    with pytest.raises(errors.OutcomeUnknown, match="stopped"):
        await waiting


def confine(broker: RabbitMq, prefix: str) -> str:
    """Make the user of host h1, who may do what a host must and little else; its URL."""
    permissions = host_permissions("h1", prefix)
    definitions = broker.folder / "host-h1.json"
    definitions.write_text(json.dumps(host_definitions(permissions, "secret", b"salt")))
    broker.control("import_definitions", str(definitions))
    return broker.url.replace("guest:guest", f"{permissions.user}:secret")


class EchoAsHello(ListeningEndpoint):
    """One that echoes by a word that hosts may say."""

    def __init__(self) -> None:
        """As the other."""
        super().__init__()
        self.calls["hello"] = self.calls["echo"]


@pytest_twisted.ensureDeferred
async def test_a_host_is_confined(buses: Buses, rabbitmq: RabbitMq) -> None:
    url = confine(rabbitmq, buses.prefix)
    admission = Admission(("guest",))
    conductor, endpoint, worker = buses.add(admit=admission), EchoAsHello(), ListeningEndpoint()
    await conductor.serve("conductor", endpoint)
    host = buses.add(url, kept=(), admit=admission)
    await soon(begun(host.serve("compute@h1", worker)))
    conductor.wake("compute@h1", {})
    assert await soon(worker.wakes.get()) == {}
    assert await conductor.call("compute@h1", "echo", {"n": 1}) == {"n": 1}
    assert await host.call("conductor", "hello", {"host": "h1"}) == {"host": "h1"}
    await host.report("conductor", {"host": "h1"})
    assert await soon(endpoint.reports.get()) == {"host": "h1"}
    with pytest.raises(errors.NotAllowed, match="may not speak for 'h2'"):
        await host.call("conductor", "hello", {"host": "h2"})
    await host.report("conductor", {"host": "h2"})
    while not (letters := await conductor.set_aside()):
        await after(0.05)
    assert [letter.body for letter in letters] == [{"host": "h2"}]
    assert not endpoint.reports.pending
    await refused_to_host(host, buses.add(kept=(), admit=admission))


async def refused_to_host(host: AmqpBus, other: AmqpBus) -> None:
    """A host can neither ask other hosts, nor serve as one, nor claim to be somebody."""
    await soon(begun(other.serve("compute@h2", ListeningEndpoint())))
    with pytest.raises(errors.NotAllowed):
        await host.call("compute@h2", "echo", {}, 5.0)
    serving = begun(host.serve("compute@h2", ListeningEndpoint()))
    await after(0.5)
    assert not serving.called
    channel = host._connection.client.new_channel()
    await channel.channel_open()
    closed: Deferred[Any] = Deferred()
    channel.on_close = closed.callback
    channel.basic_publish(exchange=host._names.exchange, routing_key=host._names.reports("conductor"),
                          content=Content(b"{}", properties={"user-id": "guest"}))
    assert "user_id property set to 'guest'" in str(await soon(closed))
