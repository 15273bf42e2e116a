"""The cloud of separate processes under measurement, on RabbitMQ and PostgreSQL, beside the cloud in one process."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from bench.faces import OpenStack
from bench.figures import Figure, say
from bench.launches import on_idle_cloud, storm
from bench.requests import lists
from bench.subject import Measured, Subject, settings
from stackd.store.engines import make_engine
from stackd.testing.lab.options import SiteOptions
from stackd.testing.lab.site import Site
from stackd.testing.simulation.crowd import gathered
from stackd.testing.simulation.ledger import Ledger
from stackd.testing.simulation.meters import Meters

FREE = {name: -1 for name in ("instances", "cores", "ram", "ports")}


class SplitSubject:
    """A site whose fake hosts are played by one pair of processes; for ``with``."""

    def __init__(self, hosts: int) -> None:
        """``hosts`` fake hosts."""
        self.state = Path(tempfile.mkdtemp(prefix="stackd-bench-"))
        self._site = Site(self.state, SiteOptions(
            database="postgresql", hosts=hosts, hosts_per_process=max(2, hosts),
            settings={"cloud": {"default_network_cidr": "10.0.0.0/11"}, "quotas": FREE, "logging": {"level": "warn"}}))

    def __enter__(self) -> "SplitSubject":
        """Start it and wait until it is ready."""
        try:
            self._site.prepare()
            self._site.start()
            self.base = (urlsplit(self._site.api_url).port or 1) - 1
            self.image = gathered(self._site, 0).image
        except BaseException:
            self._remove()
            raise
        read = make_engine(self._site.database_url, 1)
        self._ledger, self._meters = Ledger(read), Meters(self._site, read)
        say(f"a cloud of {len(self._site.names)} processes is ready")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Stop it."""
        self._remove()

    def _remove(self) -> None:
        self._site.remove()
        shutil.rmtree(self.state, ignore_errors=True)

    def cpu(self) -> float:
        """Seconds of processor time of all of it so far, broker and database included."""
        return sum(one.cpu_seconds for one in self._meters.begin().values())

    def memory(self) -> float:
        """Resident memory of all of it in MB."""
        return sum(one.memory_mb for one in self._meters.begin().values())

    def settings(self, file: str) -> dict[str, str]:
        """What one of the clients' files of variables says."""
        return settings(self.state / file)

    def unfinished(self) -> int:
        """How many instances are not active yet."""
        return self._ledger.unfinished()

    def daemons(self) -> list[Figure]:
        """The memory of each kind of daemon."""
        return [Figure(name=f"split_memory_{one.kind}", value=one.memory_mb, unit="MB",
                       meaning=f"resident memory of {one.processes} process(es) of {one.kind}, once used")
                for one in self._meters.begin().values()]


async def compared(hosts: int, launches: int, times: int, pages: int) -> list[Figure]:
    """The same work on one process and on many, one after the other: the figures of the latter, and their ratios."""
    with Subject(hosts) as embedded:
        alone = await _worked(embedded, launches, times, pages)
    with SplitSubject(hosts) as split:
        apart = await _worked(split, launches, times, pages)
        memory = split.daemons()
    return [*_ratios(alone, apart), *memory]


async def _worked(subject: Measured, launches: int, times: int, pages: int) -> list[Figure]:
    idle = await on_idle_cloud(subject, OpenStack, times)
    stormed = await storm(subject, OpenStack, launches)
    listed = await lists(subject, OpenStack, str(launches), pages)
    memory = Figure(name="memory", value=subject.memory(), unit="MB", meaning="resident memory of all of it, once used")
    return [*idle, *stormed, *listed, memory]


def _ratios(alone: Sequence[Figure], apart: Sequence[Figure]) -> list[Figure]:
    figures = []
    for one, other in zip(alone, apart, strict=True):
        figures.append(Figure(name=f"split_{other.name}", value=other.value, unit=other.unit,
                              meaning=f"{other.meaning}, on separate daemons with RabbitMQ and PostgreSQL"))
        if one.value:
            figures.append(Figure(name=f"split_{other.name}_ratio", value=other.value / one.value, unit="x",
                                  meaning=f"that by {one.value:.4g} {one.unit} of one process in the same run"))
    return figures
