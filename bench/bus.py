"""The AMQP bus: how many calls and confirmed reports a second, and what they cost in CPU time.

``python -m bench.bus [URL]``; without a URL a private broker is started. The endpoint is a process of its own. Rates
depend on what else the machine does, the broker included; CPU time for each operation hardly does.
"""

import resource
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import orjson
from attrs import evolve
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from zope.interface import implementer

from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.settings import AmqpSettings
from stackd.interfaces.bus import Body, IEndpoint
from tests.live.rabbitmq_fixtures import private_broker

BODY: Body = {"host": "host-1", "worker": "compute", "session": 7, "known": {"incarnation": "f" * 32, "number": 123456},
              "held": None, "note": "x" * 180}


def cpu() -> float:
    """Seconds of CPU time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@implementer(IEndpoint)
class EchoEndpoint:
    """Answers with what it was asked; counts reports and wakes."""

    def __init__(self) -> None:
        self.reports = self.wakes = 0
        self.calls: dict[str, Callable[[Body], Awaitable[Any]]] = {"echo": self._echo, "used": self._used}

    def woken(self, body: Body) -> None:
        """Count."""
        self.wakes += 1

    async def reported(self, body: Body) -> None:
        """Count."""
        self.reports += 1

    async def _echo(self, body: Body) -> Body:
        return body

    async def _used(self, body: Body) -> Body:
        return {"cpu": cpu(), "reports": self.reports, "wakes": self.wakes}


async def many(number: int, at_once: int, operation: Callable[[], Awaitable[Any]]) -> None:
    """Run so many, so many of them at the same time."""
    left = [number]

    async def work() -> None:
        while left[0] > 0:
            left[0] -= 1
            await operation()

    await gatherResults([Deferred.fromCoroutine(work()) for _ in range(at_once)])


async def measured(name: str, bus: AmqpBus, number: int, at_once: int, operation: Callable[[], Awaitable[Any]]) -> None:
    """Print one line of figures."""
    await many(min(200, number), at_once, operation)
    before, mine, began = await bus.call("bench", "used", {}), cpu(), time.monotonic()
    await many(number, at_once, operation)
    seconds, spent = time.monotonic() - began, cpu() - mine
    after = await bus.call("bench", "used", {})
    print(orjson.dumps({
        "bench": f"bus.{name}", "per_second": round(number / seconds), "client_us": round(spent / number * 1e6),
        "server_us": round((after["cpu"] - before["cpu"]) / number * 1e6)}).decode(), flush=True)


async def serial(bus: AmqpBus, number: int) -> None:
    """How long one call takes, when it is the only one."""
    took = []
    for _ in range(number):
        began = time.perf_counter()
        await bus.call("bench", "echo", BODY)
        took.append(time.perf_counter() - began)
    print(orjson.dumps({"bench": "bus.call_serial", "p50_ms": round(statistics.median(took) * 1e3, 2),
                        "p99_ms": round(statistics.quantiles(took, n=100)[98] * 1e3, 2)}).decode(), flush=True)


async def storm(bus: AmqpBus, number: int) -> None:
    """How many of so many equal wakes arrive, sent in 5 s; and what sending costs."""
    before, mine = await bus.call("bench", "used", {}), cpu()
    for _ in range(500):
        for _ in range(number // 500):
            bus.wake("bench", {})
        await task.deferLater(reactor, 0.01, lambda: None)  # type: ignore[arg-type]
    spent = cpu() - mine
    after = await bus.call("bench", "used", {})
    print(orjson.dumps({"bench": "bus.wake_storm", "sent": number, "arrived": after["wakes"] - before["wakes"],
                        "client_us": round(spent / number * 1e6, 2)}).decode(), flush=True)


async def ask(url: str, settings: AmqpSettings) -> None:
    """All figures, against an endpoint that is there or comes."""
    bus = AmqpBus(reactor, [url], settings)
    bus.startService()
    await bus.report("bench", {})
    while True:
        try:
            await bus.call("bench", "used", {}, 1.0)
            break
        except Exception:
            await task.deferLater(reactor, 0.1, lambda: None)  # type: ignore[arg-type]
    await serial(bus, 1000)
    await measured("call_50_at_once", bus, 10_000, 50, lambda: bus.call("bench", "echo", BODY))
    await measured("report_1_at_once", bus, 500, 1, lambda: bus.report("bench", BODY))
    await measured("report_100_at_once", bus, 10_000, 100, lambda: bus.report("bench", BODY))
    await storm(bus, 100_000)
    await bus.stopService()


async def serve(url: str, settings: AmqpSettings) -> None:
    """Be the endpoint until killed."""
    bus = AmqpBus(reactor, [url], settings)
    bus.startService()
    await bus.serve("bench", EchoEndpoint())
    await Deferred()


def main() -> None:
    """Ask, with the endpoint as a child; or be the child."""
    settings = AmqpSettings(kept=("bench",))
    if sys.argv[1:2] == ["serve"]:
        task.react(lambda _: ensureDeferred(serve(sys.argv[2], evolve(settings, prefix=sys.argv[3]))))
    with ExitStack() as stack:
        url = sys.argv[1] if sys.argv[1:] else stack.enter_context(private_broker()).url
        settings = evolve(settings, prefix=f"bench-{secrets.token_hex(4)}")
        child = subprocess.Popen([sys.executable, "-m", "bench.bus", "serve", url, settings.prefix])
        stack.callback(child.wait)
        stack.callback(child.kill)
        task.react(lambda _: ensureDeferred(ask(url, settings)))


if __name__ == "__main__":
    main()
