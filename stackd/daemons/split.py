"""What every daemon of its own has in common: options, configuration, and a service that lets go of its parts."""

from collections.abc import Callable
from pathlib import Path

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python import usage

from stackd.config.loading import load_file
from stackd.config.sections import Config
from stackd.daemons.parts import Parts
from stackd.daemons.tuning import tune


class Options(usage.Options):
    """Options of ``twistd stack-...``."""

    optParameters = [["config", "c", None, "Configuration file."]]


class DaemonService(MultiService):
    """One daemon: what ``make`` gives it, made when it starts."""

    def __init__(self, parts: Parts, make: Callable[[Parts], IService]) -> None:
        """``make`` builds the daemon's services."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._parts = parts
        self._make = make

    def startService(self) -> None:
        """Make and start."""
        self._make(self._parts).setServiceParent(self)
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> "Deferred[None]":
        """Finish the running steps, then let go of connections and threads."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await super().stopService()  # type: ignore[no-untyped-call]
        self._parts.close()


def daemon(options: Options, make: Callable[[Parts], IService], parts: type[Parts] = Parts) -> DaemonService:
    """The service of a daemon configured by its options; ``parts`` where some of them are elsewhere."""
    from twisted.internet import reactor

    tune()
    config = load_file(Path(options["config"])) if options["config"] else Config()
    return DaemonService(parts(reactor, config), make)
