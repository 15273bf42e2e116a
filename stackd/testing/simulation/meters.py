"""What the processes of a site use: processor time and memory by kind, transactions and messages as their makers count.

The processor time of a database server's ended connections is its postmaster's.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import evolve, frozen
from sqlalchemy import Engine, text

from stackd.testing.lab.options import kind_of
from stackd.testing.lab.site import Site
from stackd.testing.simulation.plan import Spent

BROKER = "broker"
PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_MESSAGES = ("maps:fold(fun(_, Counts, Sum) -> Sum + maps:get(messages_received_total, Counts, 0) end, 0,"
             " rabbit_global_counters:overview()).")
_TRANSACTIONS = {
    "postgresql": "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()",
    "mariadb": "SELECT sum(variable_value) FROM information_schema.global_status WHERE variable_name IN "
               "('COM_COMMIT', 'COM_ROLLBACK')"}


@frozen
class Process:
    """One process as the kernel tells of it; ``ended`` are the ticks of its children that are no more."""

    pid: int
    parent: int
    ticks: int
    ended: int
    pages: int


class Meters:
    """Reads them."""

    def __init__(self, site: Site, engine: Engine) -> None:
        """``engine`` is the site's database."""
        self._site = site
        self._engine = engine

    def begin(self) -> dict[str, Spent]:
        """Where everybody stands now, for :meth:`since`."""
        leaders: dict[str, list[int]] = {}
        for name in self._site.names:
            leaders.setdefault(kind_of(name), []).extend(filter(None, [self._site.pid(name)]))
        leaders[BROKER] = [pid for pid in [self._site.broker.pid] if pid]
        leaders[self._site.options.database] = _server(self._site.server.folder)
        living = _living()
        return {kind: _spent(kind, pids, living) for kind, pids in leaders.items() if pids}

    def since(self, before: dict[str, Spent]) -> tuple[Spent, ...]:
        """What everybody used since; who was started anew, since it was."""
        used = []
        for kind, one in self.begin().items():
            stood = before[kind].cpu_seconds if kind in before else 0.0
            used.append(evolve(one, cpu_seconds=one.cpu_seconds - (stood if stood <= one.cpu_seconds else 0.0)))
        return tuple(used)

    def transactions(self) -> int:
        """How many transactions the database has ended."""
        with self._engine.connect() as connection:
            return int(connection.execute(text(_TRANSACTIONS[self._site.options.database])).scalar_one())

    def messages(self) -> int:
        """How many messages the broker has taken since it started."""
        return int(self._site.broker.control("eval", _MESSAGES))


def _server(folder: Path) -> list[int]:
    """The first process of a database server: each kind notes it in its own way."""
    noted = [path for path in (folder / "state" / "postmaster.pid", folder / "pid") if path.exists()]
    return [int(path.read_text().split()[0]) for path in noted]


def _spent(kind: str, pids: Sequence[int], living: Mapping[int, Process]) -> Spent:
    found = [living[pid] for pid in _families(pids, living)]
    # Children that have ended are counted by who began them.
    ticks = sum(process.ticks for process in found) + sum(living[pid].ended for pid in pids if pid in living)
    # Processes of a database share most of what they have.
    memory = sum(_share(process.pid) if kind in _TRANSACTIONS else process.pages * PAGE for process in found)
    return Spent(kind=kind, processes=len(pids), cpu_seconds=ticks / TICKS, memory_mb=memory / 1e6)


def _families(pids: Sequence[int], living: Mapping[int, Process]) -> set[int]:
    """These and all that descend from them."""
    found = {pid for pid in pids if pid in living}
    while more := {one.pid for one in living.values() if one.parent in found} - found:
        found |= more
    return found


def _living() -> dict[int, Process]:
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                # After the name, which may hold anything: state, parent, ... as proc(5) lists them.
                words = (folder / "stat").read_text().rpartition(")")[2].split()
                found[int(folder.name)] = Process(
                    int(folder.name), parent=int(words[1]), ticks=int(words[11]) + int(words[12]),
                    ended=int(words[13]) + int(words[14]), pages=int(words[21]))
    return found


def _share(pid: int) -> int:
    """Bytes of memory, what is shared counted in equal parts."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
