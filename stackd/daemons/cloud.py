"""``stack-cloud``: every daemon in one process, on the memory bus and sqlite; ``stackd cloud`` runs it."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python import usage

from stackd import errors
from stackd.config import loading as configuration
from stackd.config.sections import Config
from stackd.daemons import bootstrapping, logging, machine, seeding
from stackd.daemons.control import conductor_service, scheduler_service
from stackd.daemons.endpoints import api_services, image_sweep, metadata_service
from stackd.daemons.hosts import FAKE, HostPlace, HostServices, host_names, host_services
from stackd.daemons.monitor import monitor
from stackd.daemons.operating import operator_commands
from stackd.daemons.operator import operator_service
from stackd.daemons.parts import Parts
from stackd.daemons.resetting import Resetting
from stackd.daemons.tuning import tune
from stackd.imageservice.sweeping import SweepService
from stackd.store import hosts

log = Logger()
READY = "stackd cloud ready"
HOSTS_PATIENCE = 60.0


class CloudService(MultiService):
    """The whole cloud; ``ready`` fires when clients may come, or fails when they never may."""

    def __init__(self, reactor: Any, config: Config) -> None:
        """Nothing is opened before it starts."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._config = config
        self._parts = Parts(reactor, config)
        self._parts.metrics.watch(self)
        self._workers = MultiService()  # type: ignore[no-untyped-call]
        self.ready: Deferred[None] = Deferred()

    def startService(self) -> None:
        """Make everything, then start everything."""
        super().startService()  # type: ignore[no-untyped-call]
        ensureDeferred(self._start()).chainDeferred(self.ready)

    async def _start(self) -> None:
        parts, config = self._parts, self._config
        parts.start()
        looked_at = monitor(parts, self)
        if looked_at is not None:
            looked_at.setServiceParent(self)
        made = await bootstrapping.first_contents(parts)
        # No other process uploads: what a killed one left half done is put back at once.
        await image_sweep(parts, stall=0.0).once()
        if config.compute.driver == FAKE:
            await seeding.seed_images(parts, made.admin)
        self._workers = await self._make_workers()
        resetting = Resetting(parts, self._pause, self._resume)
        await resetting.keep_pristine()
        commands = operator_commands(parts, resetting if config.compute.driver == FAKE else None)
        operator_service(self._reactor, parts.operator_socket, commands).setServiceParent(self)
        api_services(parts).setServiceParent(self)
        metadata_service(parts).setServiceParent(self)
        SweepService(image_sweep(parts), self._reactor).setServiceParent(self)
        self._workers.setServiceParent(self)
        await self._hosts_alive()
        bootstrapping.write_client_files(parts, made)

    async def _make_workers(self) -> MultiService:
        place = await self._parts.threads.run(machine.prepare, self._config)
        workers = MultiService()  # type: ignore[no-untyped-call]
        conductor_service(self._parts).setServiceParent(workers)
        scheduler_service(self._parts).setServiceParent(workers)
        (await self._hosts(place)).setServiceParent(workers)
        return workers

    async def _hosts(self, place: HostPlace) -> HostServices:
        """The workers; commands of a cloud that was killed end first."""
        deadline = self._reactor.seconds() + HOSTS_PATIENCE
        while True:
            try:
                return host_services(self._parts, place)
            except errors.Unavailable as error:
                if self._reactor.seconds() > deadline:
                    raise
                log.warn("The hosts do not begin yet: {error}", error=str(error))
            await deferLater(self._reactor, 0.5)

    async def _hosts_alive(self) -> None:
        """Wait until every host has said hello, so that the first launch finds them."""
        names = set(host_names(self._config))
        deadline = self._reactor.seconds() + HOSTS_PATIENCE
        while True:
            known = await self._parts.database.read(hosts.listed, self._config.hosts.gone)
            if names <= {host.name for host in known if host.alive and host.vcpus}:
                return
            if self._reactor.seconds() > deadline:
                raise errors.Unavailable("The hosts did not come up.", remedy="See the log for what they lack.")
            await deferLater(self._reactor, 0.05)

    async def _pause(self) -> None:
        """Stop all workers; for a reset."""
        await self._workers.disownServiceParent()

    async def _resume(self) -> None:
        """New workers, with new fake hosts."""
        self._workers = await self._make_workers()
        self._workers.setServiceParent(self)
        await self._hosts_alive()

    def stopService(self) -> "Deferred[None]":
        """Finish the running steps, then let go of everything; guests run on."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await super().stopService()  # type: ignore[no-untyped-call]
        await self._parts.stop()


def configured(state: Path, drivers: str | None = None, host: str | None = None, port_base: int | None = None,
               hosts: int | None = None, config: Path | None = None) -> Config:
    """The configuration of a cloud in ``state``; what is given here wins over the file."""
    read = configuration.load_file(config) if config else Config()
    folder = state.absolute()
    read = evolve(read, cloud=evolve(read.cloud, state=str(folder)),
                  database=evolve(read.database, url=f"sqlite:///{folder}/stackd.db"),
                  image=evolve(read.image, folder=str(folder / "images")))
    if host is not None:
        read = evolve(read, api=evolve(read.api, host=host))
    if port_base is not None:
        read = evolve(read, api=evolve(read.api, port_base=port_base))
    if hosts is not None:
        read = evolve(read, hosts=evolve(read.hosts, number=hosts))
    if drivers is not None:
        real = drivers == "real"
        read = evolve(read, compute=evolve(read.compute, driver="libvirt" if real else FAKE),
                      network=evolve(read.network, driver="linuxbridge" if real else FAKE))
    return read


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


def run_in_foreground(state: Path, drivers: str | None, host: str | None, port_base: int | None,
                      hosts: int | None, config: Path | None) -> int:
    """Run until SIGTERM or SIGINT; the exit status is 1 when it could not start."""
    reactor = _reactor()
    tune()
    chosen = configured(state, drivers, host, port_base, hosts, config)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.begin(sys.stderr, chosen.logging.level)
    service = CloudService(reactor, chosen)
    status: list[int] = []

    def stop(code: int) -> None:
        if not status:
            status.append(code)
            ensureDeferred(_stopped(service)).addBoth(lambda _: reactor.stop())

    def failed(failure: Any) -> None:
        error = failure.value
        print(f"stackd: {error}" if isinstance(error, errors.StackdError)
              else failure.getTraceback(), file=sys.stderr, flush=True)
        stop(1)

    reactor.callWhenRunning(_begin, service, failed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reactor.callFromThread(stop, 0))
    reactor.run(installSignalHandlers=False)
    return status[0] if status else 0


def _begin(service: CloudService, failed: Callable[[Any], None]) -> None:
    service.startService()
    service.ready.addCallbacks(lambda _: print(READY, flush=True), failed)


async def _stopped(service: CloudService) -> None:
    await service.stopService()


def sweep(state: Path) -> int:
    """Remove what a stopped cloud of this folder left on the machine."""
    machine.remove(configured(state, drivers="real"))
    return 0


class Options(usage.Options):
    """Options of ``twistd stack-cloud``."""

    optParameters = [["config", "c", None, "Configuration file."], ["state", "s", None, "State folder."]]


def makeService(options: Options) -> MultiService:
    """The service ``twistd`` runs."""
    config = Path(options["config"]) if options["config"] else None
    state = Path(options["state"] or (configuration.load_file(config) if config else Config()).cloud.state)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return CloudService(_reactor(), configured(state, config=config))
