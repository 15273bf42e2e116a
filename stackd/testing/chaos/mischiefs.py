"""What the monkey does to a site: kills daemons; stops, wipes and freezes the broker; restarts the database."""

import os
import random
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from stackd.testing.chaos.doubling import Doubling
from stackd.testing.chaos.journal import Journal
from stackd.testing.chaos.monkey import Mischief
from stackd.testing.lab.ground import Namespaces
from stackd.testing.lab.site import Site
from stackd.testing.processes import wait_for

BROKER, DATABASE = frozenset({"broker"}), frozenset({"database"})
CUT_OFF_SECONDS = 90.0
TWIN_SECONDS = 20.0


class Mischiefs:
    """Everything that may happen to one site."""

    def __init__(self, site: Site, journal: Journal) -> None:
        """``site`` runs."""
        self._site = site
        self._journal = journal
        self._doubling = Doubling(site)
        self._hosts = sorted({name.partition("@")[2] for name in site.names if "@" in name})

    def __call__(self, randomness: random.Random) -> list[Mischief]:
        """What could be done now."""
        return [*self._daemons(), *self._broker(), *self._database(), *self._cuts(), *self._workers(randomness),
                *self._twins(), self._doubled()]

    # --- daemons ---

    def _daemons(self) -> Iterator[Mischief]:
        for name in self._site.names:
            yield Mischief("kill", 1.0, frozenset({name}), partial(self._kill, name), partial(self._site.spawn, name),
                           counted=(name,))

    def _kill(self, name: str) -> str:
        self._site.kill(name)
        return name

    def _workers(self, randomness: random.Random) -> Iterator[Mischief]:
        """One of the processes among which an API divides its requests; its master starts another."""
        for name in self._site.names:
            pid = self._site.pid(name)
            children = _children(pid) if name.startswith("api") and pid else []
            if children:
                yield Mischief("kill-api-worker", 2.0, frozenset({name}),
                               partial(_kill_process, randomness.choice(children)), _nothing, lasting=1.0)

    # --- broker and database ---

    def _doubled(self) -> Mischief:
        return Mischief("messages-doubled", 2.0, frozenset({"messages"}), self._doubling.begin, self._doubling.end,
                        lasting=60.0)

    def _broker(self) -> Iterator[Mischief]:
        broker = self._site.broker
        yield Mischief("broker-stop", 1.0, BROKER, partial(_done, broker.stop), broker.start)
        yield Mischief("broker-wipe", 1.5, BROKER, partial(self._wipe), broker.start)
        yield Mischief("broker-freeze", 1.0, BROKER, partial(_done, broker.freeze), broker.thaw, lasting=60.0)

    def _wipe(self) -> str:
        self._site.broker.kill()
        self._site.broker.wipe()
        return "killed and wiped"

    def _database(self) -> Iterator[Mischief]:
        server = self._site.server
        yield Mischief("database-stop", 1.0, DATABASE, partial(_done, server.stop), server.start, lasting=15.0)
        yield Mischief("database-crash", 1.0, DATABASE, partial(_done, server.stop, crash=True), server.start,
                       lasting=15.0)

    # --- hosts ---

    def _cuts(self) -> Iterator[Mischief]:
        for host in self._hosts:
            touched = frozenset({f"compute@{host}", f"network@{host}"})
            yield Mischief("host-cut-off", 1.0, touched, partial(self._signal, touched, signal.SIGSTOP),
                           partial(self._signal, touched, signal.SIGCONT), lasting=CUT_OFF_SECONDS, counted=(host,))

        ground = self._site.ground
        if isinstance(ground, Namespaces):
            for real in ground.fabric.hosts:
                yield Mischief("cable-pulled", 1.0, frozenset({f"cable of {real.netns}"}),
                               partial(_done, partial(ground.fabric.cut, real)), partial(ground.fabric.join, real),
                               lasting=CUT_OFF_SECONDS, counted=(real.netns,))

    def _signal(self, names: frozenset[str], number: signal.Signals) -> str:
        for name in names:
            pid = self._site.pid(name)
            if pid is not None:
                os.kill(pid, number)
        return " and ".join(sorted(names))

    # --- a second worker of a host ---

    def _twins(self) -> Iterator[Mischief]:
        for host in self._hosts:
            name = f"compute@{host}"
            yield Mischief("twin", 0.3, frozenset({name}), partial(self._twin, name), _nothing, lasting=1.0)

    def _twin(self, name: str) -> str:
        """Start another worker of a host whose worker lives: it must refuse."""
        twin = self._site.twin(name)
        refused = wait_for(lambda: twin.pid is None, TWIN_SECONDS, 0.1)
        twin.end(signal.SIGKILL)
        if not refused:
            self._journal.note("violation", "twin", id=name, said="a second worker of a living one did not refuse")
        return f"a second {name} {'refused' if refused else 'did not refuse'}"


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill_process(pid: int) -> str | None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return f"process {pid}"


def _done(act: Any, **options: Any) -> str:
    act(**options)
    return "done"


def _nothing() -> None:
    """It mends itself."""
