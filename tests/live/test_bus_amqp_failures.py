"""Brokers die, forget everything, freeze and run out of memory; daemons go on, and know what they do not know."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import gatherResults

from stackd import errors
from stackd.testing.contracts.bus import ListeningEndpoint
from tests.live.rabbitmq_fixtures import Buses, RabbitMq, after, begun, buses, rabbitmq, soon

__all__ = ["buses", "rabbitmq"]

PATIENT = 30.0
"""Seconds: ``rabbitmqctl`` takes some, and nothing else is done meanwhile."""


async def outcome(sending: Any) -> str:
    """How it ended, in a word."""
    try:
        await soon(sending)
    except errors.Unavailable as error:
        return type(error).__name__
    return "done"


async def until_answered(bus: Any, body: dict[str, Any]) -> None:
    """The broker is back, and the conductor serves."""
    while True:
        try:
            assert await bus.call("conductor", "echo", body, 1.0) == body
            return
        except errors.Unavailable:
            await after(0.1)


@pytest_twisted.ensureDeferred
async def test_a_broker_restart_loses_no_report(buses: Buses, rabbitmq: RabbitMq) -> None:
    sender, conductor, worker = buses.add(), buses.add(), ListeningEndpoint()
    await sender.report("conductor", {"n": 0})
    await sender.serve("compute@h1", worker)
    await conductor.call("compute@h1", "echo", {})
    call = begun(conductor.call("compute@h1", "silence", {}, 60.0))
    while not worker.silenced:
        await after(0.02)
    rabbitmq.stop()
    assert await outcome(call) == "OutcomeUnknown"
    while sender.connected:
        await after(0.02)
    waiting = begun(sender.report("conductor", {"n": 1}))
    rabbitmq.start()
    assert await outcome(waiting) == "done"
    endpoint = ListeningEndpoint()
    await soon(begun(conductor.serve("conductor", endpoint)))
    assert sorted([(await soon(endpoint.reports.get()))["n"] for _ in range(2)]) == [0, 1]
    assert await soon(worker.wakes.get()) == {}  # what it may have missed
    worker.silenced[0].callback(None)


@pytest_twisted.ensureDeferred
async def test_a_broker_that_was_wiped(buses: Buses, rabbitmq: RabbitMq) -> None:
    sender, conductor, endpoint = buses.add(), buses.add(), ListeningEndpoint()
    await conductor.serve("conductor", endpoint)
    await until_answered(sender, {"n": 0})
    await sender.report("conductor", {"n": 0})
    assert await soon(endpoint.reports.get()) == {"n": 0}
    rabbitmq.freeze()  # so that nothing more is confirmed
    under_way = [begun(sender.report("conductor", {"n": n})) for n in range(3)]
    under_way.append(begun(sender.call("conductor", "echo", {}, 60.0)))
    await after(0.1)
    rabbitmq.kill()
    assert await gatherResults([begun(outcome(each)) for each in under_way]) == ["OutcomeUnknown"] * 4
    rabbitmq.wipe()
    rabbitmq.start()
    await until_answered(sender, {"n": 1})
    await soon(begun(sender.report("conductor", {"n": "again"})))
    assert await soon(endpoint.reports.get()) == {"n": "again"}
    assert await sender.set_aside() == []


@pytest_twisted.ensureDeferred
async def test_a_frozen_broker(buses: Buses, rabbitmq: RabbitMq) -> None:
    sender, conductor, endpoint = buses.add(confirm_within=60.0), buses.add(), ListeningEndpoint()
    await conductor.serve("conductor", endpoint)
    await until_answered(sender, {"n": 0})
    await sender.report("conductor", {"n": 0})
    assert await soon(endpoint.reports.get()) == {"n": 0}
    rabbitmq.freeze()
    try:
        under_way = [begun(sender.report("conductor", {})), begun(sender.call("conductor", "echo", {}, 60.0))]
        assert await gatherResults([begun(outcome(each)) for each in under_way]) == ["OutcomeUnknown"] * 2
        assert not sender.connected
    finally:
        rabbitmq.thaw()
    await until_answered(sender, {"n": 1})


@pytest_twisted.ensureDeferred
async def test_a_broker_without_memory_is_waited_for(buses: Buses, rabbitmq: RabbitMq) -> None:
    bus, endpoint = buses.add(heartbeat=PATIENT), ListeningEndpoint()
    await bus.serve("conductor", endpoint)
    await bus.report("conductor", {"n": 0})
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        with pytest.raises(errors.CallTimedOut):  # the first that is sent makes the broker say so
            await bus.call("conductor", "echo", {}, 0.5)
        assert not bus.connected
        waiting = begun(bus.report("conductor", {"n": 1}))
        await after(0.2)
        assert not waiting.called
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "512MB")
    await soon(waiting)
    assert [(await soon(endpoint.reports.get()))["n"] for _ in range(2)] == [0, 1]


@pytest_twisted.ensureDeferred
async def test_a_stop_does_not_wait_for_a_broker_without_memory(buses: Buses, rabbitmq: RabbitMq) -> None:
    """It sends heartbeats, but reads nothing of what we say."""
    bus = buses.add(heartbeat=PATIENT)
    subscription = await bus.serve("conductor", ListeningEndpoint())
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        with pytest.raises(errors.CallTimedOut):
            await bus.call("conductor", "echo", {}, 0.5)
        assert "takes no messages" in bus.complaint()
        await soon(begun(subscription.stop()))
        await soon(bus.stopService())
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "512MB")


@pytest_twisted.ensureDeferred
async def test_a_queue_that_cannot_be_had_is_told_of(buses: Buses, rabbitmq: RabbitMq) -> None:
    """As after a change of a queue's arguments: the daemon runs, and serves nothing."""
    first = buses.add(kept=("conductor",), most_kept=5)
    await first.serve("conductor", ListeningEndpoint())
    second = buses.add(kept=("conductor",), most_kept=6)  # it declares what is kept as soon as it is connected
    waiting = begun(second.serve("conductor", ListeningEndpoint()))
    while "PRECONDITION_FAILED" not in second.complaint():
        await after(0.05)
    assert not waiting.called and not first.complaint()
    await first.stopService()
    rabbitmq.control("delete_queue", f"{buses.prefix}.conductor.reports")
    await soon(waiting)
    while second.complaint():
        await after(0.05)
