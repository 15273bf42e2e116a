"""What a load balancer and Prometheus see."""

from collections.abc import Mapping

import orjson
import pytest_twisted
from attrs import frozen
from treq.testing import StubTreq
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from zope.interface import implementer

from stackd.daemons.health import Check, Patient, health_root
from stackd.daemons.metrics import Metrics
from stackd.interfaces.measuring import IMeasured
from stackd.model.figures import Figure


def broken() -> str:
    """A check that fails itself."""
    raise OSError("no route")


async def healthz(checks: Mapping[str, Check]) -> tuple[int, object]:
    """Status and body."""
    response = await StubTreq(health_root(lambda: checks, lambda: b"")).get("http://x/healthz")
    return response.code, orjson.loads(await response.content())


@pytest_twisted.ensureDeferred
async def test_healthy() -> None:
    """200 and the words of each check, whether it has to wait or not."""
    async def later() -> str:
        return ""

    assert await healthz({"database": later, "bus": lambda: ""}) == (
        200, {"status": "ok", "checks": {"database": "ok", "bus": "ok"}})


@pytest_twisted.ensureDeferred
async def test_failing() -> None:
    """503 as soon as one check complains or breaks; the others are still told."""
    assert await healthz({"database": lambda: "", "bus": lambda: "no broker", "disk": broken}) == (
        503, {"status": "failing", "checks": {"database": "ok", "bus": "no broker", "disk": "OSError: no route"}})


def test_a_check_that_hangs_is_waited_for_a_while_and_asked_once() -> None:
    clock, asked = Clock(), []

    async def hang() -> str:
        asked.append(Deferred())
        return await asked[-1]

    check = Patient(clock, hang, 3.0, "It hangs.")
    first = ensureDeferred(check())
    clock.advance(2.0)
    second = ensureDeferred(check())
    clock.advance(1.0)
    assert first.result == "It hangs." and not second.called
    asked[0].callback("")
    assert second.result == "" and len(asked) == 1
    assert not clock.getDelayedCalls()
    third = ensureDeferred(check())
    asked[1].callback("It is full.")
    assert third.result == "It is full."


@implementer(IMeasured)
@frozen
class Worker(Service):
    """A service with figures."""

    done: int

    def figures(self) -> list[Figure]:
        """One that grows and one that does not."""
        return [Figure(name="done", words="Things done.", value=self.done, labels={"kind": "x"}, total=True),
                Figure(name="waiting", words="Things to do.", value=1)]


@pytest_twisted.ensureDeferred
async def test_metrics_are_the_figures_of_all_services_and_the_requests() -> None:
    """In Prometheus' text form, what several say of one name added up."""
    metrics, services, inner = Metrics(), MultiService(), MultiService()
    services.services, inner.services = [Service(), inner], [Worker(3), Worker(4)]
    metrics.watch(services)
    metrics.answered("ec2")({"path": "/?Action=DescribeInstances", "method": "POST", "status": 200, "ms": 30.0})
    metrics.answered("other")({"path": "/compute/v2.1/servers/x", "method": "BREW", "status": 404, "ms": 1.0})
    response = await StubTreq(health_root(dict, metrics.text)).get("http://x/metrics")
    assert response.headers.getRawHeaders("content-type")[0].startswith("text/plain")
    text = (await response.content()).decode()
    for line in ('stackd_done_total{kind="x"} 7.0', "stackd_waiting 2.0",
                 'stackd_http_requests_total{api="ec2",method="POST",status="200"} 1.0',
                 'stackd_http_requests_total{api="compute",method="other",status="404"} 1.0',
                 'stackd_http_seconds_bucket{api="ec2",le="0.05"} 1.0', "process_cpu_seconds_total"):
        assert line in text
