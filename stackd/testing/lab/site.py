"""One cloud of separate processes in a folder: broker, database, every daemon by itself, on fake or real hosts.

The lab, the chaos run, the simulation, the bench and live tests use it. Whoever knows the folder may take a site up:
each process is found by its pid file. Blocking.

::

    conf/NAME.toml  run/NAME.pid  log/NAME.log     of each daemon
    broker/  database -> (elsewhere)  images/  hosts/NAME/  secrets/
    openrc  clouds.yaml  aws.env  operator.sock    as of any cloud
"""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from stackd.cli.asking import SOCKET
from stackd.config.loading import load_file
from stackd.daemons import machine
from stackd.testing.lab import furnishing
from stackd.testing.lab.options import REAL, SiteOptions, kind_of
from stackd.testing.lab.premises import Premises
from stackd.testing.lab.readiness import silent, unwell, wait_until, without
from stackd.testing.processes import KeptProcess, placed

READY_WITHIN = 120.0
STOPS_WITHIN = 60.0
LAST_WORDS, LONGEST_WORDS = 4, 400
"""Lines, and letters of each."""


@contextmanager
def standing(folder: Path, options: SiteOptions) -> "Iterator[Site]":
    """A site that runs, and is gone at the end."""
    site = Site(folder, options)
    try:
        site.prepare()
        site.start()
        yield site
    finally:
        site.remove()


class Site(Premises):
    """One cloud of many processes."""

    _began = 0.0

    # --- from nothing to everything ------------------------------------------------------------------

    def prepare(self) -> None:
        """Bring up what the daemons stand on, and write what they need; none of them runs yet."""
        for name in ("conf", "run", "log", "images", "hosts"):
            (self.folder / name).mkdir(exist_ok=True, mode=0o700)
        self.ground.prepare()
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(furnishing.start_broker, self)
            furnishing.start_server(self)
            furnishing.write_configs(self)
            furnishing.bootstrap(self)
            started.result()

    def start(self, seconds: float = READY_WITHIN) -> None:
        """Start every daemon that does not run, and wait until clients may come, as :meth:`wait_ready` does."""
        for name in self.names:
            self.spawn(name)
        self.wait_ready(seconds)

    def wait_ready(self, seconds: float = READY_WITHIN) -> None:
        """Wait until the APIs are well and every host has said hello; raises ``RuntimeError`` with what lacks."""
        urls = [self.monitor_url(name) for name in self.options.controllers()]
        names = self.hosts
        # Of several processes of an API the first alone has the operator's socket, and others may be quicker.
        wait_until(lambda: self._all_live() or unwell(urls) or without([self.folder / SOCKET]), seconds)
        furnishing.register_hosts(self)
        wait_until(lambda: self._all_live() or silent(self.database_url, names, self._began), seconds)

    def stop(self) -> None:
        """Stop all of it in order, the daemons first; guests run on."""
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(self.stop_daemon, self.names))
            pool.submit(self.broker.stop)
            self.server.stop()

    def remove(self) -> None:
        """Leave nothing of it: no process, no folder."""
        for name in self.names:
            self.kill(name)
        if self.options.drivers == REAL:
            self._empty_hosts()
        if (self.folder / "broker").exists():
            self.broker.end()
        if (self.folder / "database").exists():
            self.server.wipe()
        self.ground.remove()
        shutil.rmtree(self.folder)

    # --- one daemon ----------------------------------------------------------------------------------

    def spawn(self, name: str) -> None:
        """Start a daemon where it does not run."""
        if self.alive(name):
            return
        self._began = self._began or time.time()
        self._start(self._daemons[name], name)

    def twin(self, name: str) -> KeptProcess:
        """Start a daemon a second time, beside the one that runs."""
        twin = KeptProcess(self.folder / "run" / f"{name}.twin.pid")
        self._start(twin, name)
        return twin

    def alive(self, name: str) -> bool:
        """Whether a daemon's process lives."""
        return self.pid(name) is not None

    def pid(self, name: str) -> int | None:
        """Its process id."""
        return self._daemons[name].pid

    def kill(self, name: str) -> None:
        """End it without a word, and its children, as a power cut would."""
        self._daemons[name].end(signal.SIGKILL)

    def stop_daemon(self, name: str) -> None:
        """Ask it to end and wait until it has."""
        self._daemons[name].end(signal.SIGTERM, STOPS_WITHIN)

    def _empty_hosts(self) -> None:
        """Remove the guests and wiring of every host that was ever begun."""
        for pool in self.options.pools():
            if self.config(f"compute@{pool}").exists():
                machine.empty(load_file(self.config(f"compute@{pool}")))

    # --- inner ---------------------------------------------------------------------------------------

    def _start(self, process: KeptProcess, name: str) -> None:
        argv = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "--logger",
                "stackd.daemons.logging.to_stdout", f"stack-{kind_of(name)}", "--config", str(self.config(name))]
        process.start(self._placed(name, argv), self.log(name), cwd=self.folder)

    def _placed(self, name: str, argv: list[str]) -> list[str]:
        host = name.partition("@")[2]
        if host and self.options.hosts_per_process > 1:
            # Many in one process stand for machines of their own: they leave the processors to the control plane.
            argv = ["nice", "-n", "10", *argv]
        return placed(argv, self.ground.host(host).netns if host else self.ground.namespace)

    def _all_live(self) -> list[str]:
        """Nothing; raises ``RuntimeError`` with the last words of a daemon that has ended: waiting cannot mend it."""
        for name in self.names:
            if not self.alive(name):
                words = self.log(name).read_text(errors="replace").splitlines()[-LAST_WORDS:]
                raise RuntimeError("\n".join([f"{name} has ended, see {self.log(name)}:", *(
                    line[:LONGEST_WORDS] for line in words)]))
        return []

    @cached_property
    def _daemons(self) -> dict[str, KeptProcess]:
        return {name: KeptProcess(self.folder / "run" / f"{name}.pid") for name in self.names}
