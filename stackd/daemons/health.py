"""``/healthz`` and ``/metrics`` of every daemon: a resource to put under its site.

``healthz`` answers 200 when every check is content and 503 otherwise, with the words of each check; a load balancer
reads the code, a person the words. ``metrics`` is what Prometheus scrapes.
"""

from collections.abc import Callable, Mapping

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from twisted.web.resource import Resource
from twisted.web.server import Request

Check = Callable[[], str]
"""Gives what is wrong, in words; empty when all is well. Must not block."""


class HealthResource(Resource):
    """Answers ``GET /healthz``."""

    isLeaf = True

    def __init__(self, checks: Mapping[str, Check]) -> None:
        """``checks`` by the name of the part they look at, for example ``database``."""
        super().__init__()
        self._checks = checks

    def render_GET(self, request: Request) -> bytes:
        """Run every check; one that raises is itself a complaint."""
        found = {name: complaint(check) for name, check in self._checks.items()}
        request.setResponseCode(503 if any(found.values()) else 200)
        request.setHeader("Content-Type", "application/json")
        return orjson.dumps({
            "status": "failing" if any(found.values()) else "ok",
            "checks": {name: words or "ok" for name, words in found.items()},
        })


class MetricsResource(Resource):
    """Answers ``GET /metrics``."""

    isLeaf = True

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        """``registry`` holds the metrics; the process's own by default."""
        super().__init__()
        self._registry = registry

    def render_GET(self, request: Request) -> bytes:
        """All metrics in Prometheus' text form."""
        request.setHeader("Content-Type", CONTENT_TYPE_LATEST)
        return generate_latest(self._registry)


def complaint(check: Check) -> str:
    """What the check says, or what it raised."""
    try:
        return check()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def health_root(checks: Mapping[str, Check], registry: CollectorRegistry = REGISTRY) -> Resource:
    """A root with both, for daemons without an API of their own."""
    root = Resource()
    root.putChild(b"healthz", HealthResource(checks))
    root.putChild(b"metrics", MetricsResource(registry))
    return root
