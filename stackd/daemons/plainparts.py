"""The parts of a process that has no database, each made when first asked for: all that a host's daemon is made of.

What has one is made of ``parts``. Nothing of the store is imported here: a host has no password of the database, and
thousands of hosts need not load what only they do not use.
"""

import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred, maybeDeferred

from stackd import errors
from stackd.config.sections import LOCAL_IMAGES, MEMORY_BUS, Config
from stackd.daemons.clockwatch import ClockWatch
from stackd.daemons.metrics import Metrics
from stackd.daemons.secretfiles import kept
from stackd.drivers import loading
from stackd.interfaces.bus import IMessageBus
from stackd.interfaces.images import IConnected, IImages
from stackd.store.executors import ThreadExecutor

if TYPE_CHECKING:
    from stackd.daemons.health import Check
    from stackd.daemons.prefork_monitor import Siblings

METADATA_FILE = "metadata.secret"


def new_metadata_secret() -> str:
    """What signs requests for metadata."""
    return secrets.token_hex(32)


class PlainParts:
    """Parts of one process, sharing one reactor and one configuration."""

    kept_reports: tuple[str, ...] = ()
    """Addresses whose queues of reports this process declares at the broker; a host's user may declare none."""
    adopted: Mapping[int, int] = {}
    """Open sockets to listen on by their ports, where a master has bound them."""
    monitor_socket: str = ""
    """Where a worker of several tells its master how it is."""
    siblings: "Siblings | None" = None
    """Asks all workers of the master how they are, where there is one."""

    def __init__(self, reactor: Any, config: Config) -> None:
        """Nothing is opened yet."""
        self.reactor = reactor
        self.config = config
        self.random: Random = SystemRandom()
        self.state = Path(config.cloud.state)
        self.metrics = Metrics()
        self._clock_watch = ClockWatch(reactor)

    @cached_property
    def threads(self) -> ThreadExecutor:
        """For hashing, key making and files."""
        return ThreadExecutor(self.reactor, 4, "work")

    @cached_property
    def bus(self) -> IMessageBus:
        """The message bus; one that has to be started is a service, which :meth:`start` and :meth:`stop` care for."""
        section = self.config.bus
        arguments = () if section.driver == MEMORY_BUS else (section, self.kept_reports)
        made: IMessageBus = loading.make("stackd.buses", section.driver, IMessageBus, self.reactor, *arguments)
        self.metrics.watch(made)
        return made

    @cached_property
    def images(self) -> IImages:
        """Images of a service elsewhere."""
        section = self.config.image
        if section.driver == LOCAL_IMAGES:
            raise errors.BadConfiguration("This daemon has no database, so images cannot be local to it.",
                                          remedy='Set driver = "http" in [image], and its url, auth_url and user.')
        return loading.make("stackd.images", section.driver, IImages, self.reactor, section)  # type: ignore[no-any-return]

    @cached_property
    def metadata_secret(self) -> bytes:
        """Signs metadata tokens and the requests of metadata proxies."""
        return kept(self.state / METADATA_FILE, new_metadata_secret).strip().encode()

    def _in_thread(self, fn: Any, *args: Any) -> "Deferred[Any]":
        return self.threads.run(fn, *args)

    def checks(self) -> dict[str, "Check"]:
        """Whether what was made here works, for whoever looks at this daemon's health."""
        return {}

    def start(self) -> None:
        """Start what has to be started before those who use it."""
        self._clock_watch.start()
        if IService.providedBy(self.bus):
            IService(self.bus).startService()

    async def stop(self) -> None:
        """Stop the bus, then let go of the parts that were made."""
        if "bus" in self.__dict__ and IService.providedBy(self.bus):
            await maybeDeferred(IService(self.bus).stopService)
        self.close()

    def close(self) -> None:
        """Let go of threads and connections."""
        self._clock_watch.stop()
        if "images" in self.__dict__ and IConnected.providedBy(self.images):
            IConnected(self.images).close()
        if "threads" in self.__dict__:
            self.threads.stop()
