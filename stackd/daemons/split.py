"""What every daemon of its own has in common: options, configuration, and a service that lets go of its parts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from stackd import errors
from stackd.config.loading import load_file
from stackd.config.sections import Config
from stackd.daemons import logging
from stackd.daemons.monitor import monitor
from stackd.daemons.plainparts import PlainParts
from stackd.daemons.tuning import tune

log = Logger()
P = TypeVar("P", bound=PlainParts)
TRY_AGAIN = 2.0


class Options(usage.Options):
    """Options of ``twistd stack-...``."""

    optParameters: Any = [
        ["config", "c", None, "Configuration file."],
        ["monitor", "m", None, "Port of /healthz and /metrics; as configured when left out.", int]]


class DaemonService(MultiService):
    """One daemon: what ``make`` gives it, made when it starts; the bus is started before and stopped after it."""

    def __init__(self, parts: PlainParts, make: Callable[[Any], IService]) -> None:
        """``make`` builds the daemon's services."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._parts = parts
        self._make = make
        self._waiting: Deferred[None] | None = None
        self._made = MultiService()  # type: ignore[no-untyped-call]
        self._hindrance = ""
        self._monitor = monitor(parts, self._made, lambda: self._hindrance)
        parts.metrics.watch(self._made)

    def startService(self) -> None:
        """Make and start; while something it needs is away, the database or a link, wait for it."""
        super().startService()  # type: ignore[no-untyped-call]
        self._parts.start()
        self._made.setServiceParent(self)
        if self._monitor is not None:
            self._monitor.setServiceParent(self)
        self._begin()

    def _begin(self) -> None:
        try:
            made = self._make(self._parts)
        except (errors.Unavailable, errors.TransientFailure) as error:
            self._hindrance = str(error)
            log.warn("Not begun yet, tried again in {seconds} s: {error}", seconds=TRY_AGAIN, error=str(error))
            self._waiting = deferLater(self._parts.reactor, TRY_AGAIN)
            self._waiting.addCallback(lambda _: self._begin()).addErrback(self._given_up)
        else:
            made.setServiceParent(self._made)

    def _given_up(self, failure: Failure) -> None:
        if self.running:
            log.failure("This daemon cannot begin", failure=failure)
            self._parts.reactor.stop()

    def stopService(self) -> "Deferred[None]":
        """Finish the running steps, then let go of connections and threads."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await super().stopService()  # type: ignore[no-untyped-call]
        if self._waiting is not None:
            self._waiting.cancel()
        await self._parts.stop()


def configured(options: Mapping[str, Any]) -> Config:
    """What the file says that the options name, the defaults without one; options win."""
    try:
        config = load_file(Path(options["config"])) if options["config"] else Config()
    except errors.BadConfiguration as error:
        raise SystemExit(f"stackd: {error}") from None  # a person reads it, who needs no traceback
    logging.keep(config.logging.level)
    port = options.get("monitor")
    return config if port is None else evolve(config, monitor=evolve(config.monitor, port=port))


def daemon(options: Mapping[str, Any], make: Callable[[P], IService], parts: Callable[[Any, Config], P]
           ) -> DaemonService:
    """The service of a daemon configured by its options, of the parts that it has."""
    from twisted.internet import reactor

    tune()
    config = configured(options)
    Path(config.cloud.state).mkdir(parents=True, exist_ok=True, mode=0o700)
    return DaemonService(parts(reactor, config), make)
