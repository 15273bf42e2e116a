"""What a daemon shows to Prometheus: the process, the requests its sites answered, and the figures of its parts.

Parts below know nothing of Prometheus: they provide ``IMeasured`` and are asked when somebody looks. ``parts`` owns the
one :class:`Metrics` of a process; ``endpoints`` and ``monitor`` serve it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from twisted.application.service import IServiceCollection

from stackd.interfaces.measuring import IMeasured
from stackd.model.figures import Figure

PREFIX = "stackd_"
APIS = frozenset({"compute", "identity", "image", "network", "volume", "healthz", "metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
OTHER = "other"


class Metrics:
    """All that one process shows."""

    def __init__(self) -> None:
        """Nothing but the process."""
        self.registry = CollectorRegistry()
        self._sources: list[Any] = []
        self._requests = Counter("stackd_http_requests", "Requests answered.", ("api", "method", "status"),
                                 registry=self.registry)
        self._seconds = Histogram("stackd_http_seconds", "How long they took, to the last byte.", ("api",),
                                  registry=self.registry, buckets=BUCKETS)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(Figures(self._found))

    def watch(self, source: Any) -> None:
        """Show the figures of this part, or of all services in it; of those that have none, nothing."""
        self._sources.append(source)

    def forget(self, source: Any) -> None:
        """Show them no more."""
        self._sources.remove(source)

    def answered(self, otherwise: str) -> Callable[[Mapping[str, Any]], None]:
        """Called with what a site tells of each request; ``otherwise`` is the API of paths that name none."""
        def count(told: Mapping[str, Any]) -> None:
            word = told["path"].split("/", 2)[1].partition("?")[0] if told["path"].startswith("/") else ""
            api = word if word in APIS else otherwise
            method = told["method"] if told["method"] in METHODS else OTHER
            self._requests.labels(api, method, told["status"]).inc()
            self._seconds.labels(api).observe(told["ms"] / 1000)

        return count

    def text(self) -> bytes:
        """In Prometheus' text form."""
        return generate_latest(self.registry)

    def _found(self) -> Iterator[IMeasured]:
        for source in self._sources:
            yield from measured(source)


class Figures(Collector):
    """The figures of parts, those of one name and labels added up."""

    def __init__(self, sources: Callable[[], Iterable[Any]]) -> None:
        """``sources`` gives who provides ``IMeasured`` now."""
        self._sources = sources

    def describe(self) -> Iterable[Any]:
        """Not known before somebody looks."""
        return ()

    def collect(self) -> Iterable[Any]:
        """One family for each name."""
        sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        first: dict[str, Figure] = {}
        for source in self._sources():
            for figure in source.figures():
                key = figure.name, tuple(sorted(figure.labels.items()))
                sums[key] = sums.get(key, 0.0) + figure.value
                first.setdefault(figure.name, figure)
        for name, figure in first.items():
            kind = CounterMetricFamily if figure.total else GaugeMetricFamily
            family = kind(PREFIX + name, figure.words, labels=sorted(figure.labels))
            for (other, labels), value in sums.items():
                if other == name:
                    family.add_metric([value for _, value in labels], value)
            yield family


def measured(source: Any) -> Iterator[Any]:
    """The source and all services in it, as far as they show figures."""
    if IMeasured.providedBy(source):
        yield source
    if IServiceCollection.providedBy(source):
        for each in source:
            yield from measured(each)
