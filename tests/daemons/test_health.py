"""What a load balancer and Prometheus see."""

import orjson
import pytest_twisted
from prometheus_client import CollectorRegistry, Counter
from treq.testing import StubTreq

from stackd.daemons.health import health_root


def broken() -> str:
    """A check that fails itself."""
    raise OSError("no route")


@pytest_twisted.ensureDeferred
async def test_healthy() -> None:
    """200 and the words of each check."""
    response = await StubTreq(health_root({"database": lambda: ""})).get("http://x/healthz")
    assert response.code == 200
    assert orjson.loads(await response.content()) == {"status": "ok", "checks": {"database": "ok"}}


@pytest_twisted.ensureDeferred
async def test_failing() -> None:
    """503 as soon as one check complains or breaks; the others are still told."""
    checks = {"database": lambda: "", "bus": lambda: "no broker", "disk": broken}
    response = await StubTreq(health_root(checks)).get("http://x/healthz")
    assert response.code == 503
    assert orjson.loads(await response.content()) == {
        "status": "failing", "checks": {"database": "ok", "bus": "no broker", "disk": "OSError: no route"}}


@pytest_twisted.ensureDeferred
async def test_metrics() -> None:
    """The registry in Prometheus' text form."""
    registry = CollectorRegistry()
    Counter("stackd_launches", "Launches.", registry=registry).inc(3)
    response = await StubTreq(health_root({}, registry)).get("http://x/metrics")
    assert response.headers.getRawHeaders("content-type")[0].startswith("text/plain")
    assert b"stackd_launches_total 3.0" in await response.content()
