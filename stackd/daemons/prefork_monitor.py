"""Health and metrics of a daemon with several workers: each tells of itself at a socket, and all are asked.

The master serves the answers at the daemon's monitoring port. Where it has none, a worker that is asked beside its API
asks all, itself included. Each sample gets a label ``worker``, so counters of a worker that began anew begin anew.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from treq.client import HTTPClient
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.web.client import Agent
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from zope.interface import implementer

from stackd.daemons.health import Answer, Answered, metrics, rooted, told

WITHIN = 5.0


@implementer(IAgentEndpointFactory)
class _Sockets:
    def __init__(self, reactor: Any, beginning: str) -> None:
        self._reactor = reactor
        self._beginning = beginning

    def endpointForURI(self, uri: Any) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(self._reactor, self._beginning + uri.host.decode())


class Siblings:
    """The workers of one master."""

    def __init__(self, reactor: Any, beginning: str, number: int) -> None:
        """Their sockets have names of this ``beginning`` and end with their numbers."""
        self._client = HTTPClient(Agent.usingEndpointFactory(reactor, _Sockets(reactor, beginning)))
        self._numbers = range(number)

    def health(self) -> Answered:
        """Of all workers: well when all are."""
        async def answer() -> Answer:
            found: dict[str, str] = {}
            for number, body in (await self._all("healthz")).items():
                if body is None:
                    found[f"worker {number}"] = "It does not answer; it is started again when it ended."
                    continue
                checks = orjson.loads(body)["checks"]
                found |= {f"worker {number}: {name}": "" if words == "ok" else words for name, words in checks.items()}
            return told(found)

        return Answered(answer)

    def metrics(self) -> Answered:
        """Of all workers that answer."""
        async def text() -> bytes:
            found = await self._all("metrics")
            return merged({number: body.decode() for number, body in found.items() if body is not None})

        return metrics(text)

    def root(self) -> Resource:
        """Both, for a port that serves nothing else."""
        return rooted(self.health(), self.metrics())

    async def _all(self, path: str) -> Mapping[int, bytes | None]:
        asked = {number: ensureDeferred(self._asked(number, path)) for number in self._numbers}
        return {number: await each for number, each in asked.items()}

    async def _asked(self, number: int, path: str) -> bytes | None:
        try:
            response = await self._client.get(f"http://{number}/{path}", timeout=WITHIN)
            body: bytes = await response.content()
        except Exception:  # it is not there, or busy: either is all there is to say
            return None
        return body


class _Merged(Collector):
    def __init__(self, texts: Mapping[int, str]) -> None:
        self._texts = texts

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        families: dict[str, Metric] = {}
        for number, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                into = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                into.samples += [sample._replace(labels={**sample.labels, "worker": str(number)})
                                 for sample in family.samples]
        return list(families.values())


def merged(texts: Mapping[int, str]) -> bytes:
    """The texts of all workers as one."""
    registry = CollectorRegistry()
    registry.register(_Merged(texts))
    return generate_latest(registry)
