"""A simulated cloud from nothing to its findings: start, idle, a storm of launches, a wiped broker, placing alone.

``stackd simulate`` and the live test run it. Blocking.
"""

import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from stackd.store.engines import make_engine
from stackd.testing.lab.options import kind_of
from stackd.testing.lab.site import Site
from stackd.testing.processes import KeptProcess, wait_for
from stackd.testing.simulation.crowd import Crowd, gathered
from stackd.testing.simulation.ledger import Ledger
from stackd.testing.simulation.meters import Meters
from stackd.testing.simulation.plan import Findings, Idle, Placing, Plan, Storm, Wipe

LOOK = 0.25
HOST_KINDS = ("compute", "network")
WORKERS = len(HOST_KINDS)
A_REQUEST = 50
"""Instances in one request, where the launch is not what is measured."""


class Simulation:
    """One run in a folder; :meth:`findings` does all of it."""

    def __init__(self, folder: Path, plan: Plan, say: Callable[[str], None]) -> None:
        """``say`` is told what happens."""
        self._plan = plan
        self._say = say
        self.site = Site(folder, plan.site())

    @cached_property
    def _engine(self) -> Any:
        return make_engine(self.site.database_url, 1)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self._engine)

    @cached_property
    def _meters(self) -> Meters:
        return Meters(self.site, self._engine)

    def findings(self) -> Findings:
        """Everything, in turn."""
        plan, site = self._plan, self.site
        site.prepare()
        began = time.monotonic()
        self._say(f"{len(site.names)} processes play {plan.hosts} hosts and their cloud, in {site.folder}")
        site.start(plan.patience)
        ready = time.monotonic() - began
        self._say(f"every host said hello after {ready:.1f} s")
        crowd = gathered(site, plan.projects)
        idle = self._idle()
        storm = self._storm(crowd)
        wipe = self._wipe(crowd)
        doubled = self._ledger.doubled(site.folder / "hosts")
        faulted = self._ledger.faulted() + self._ledger.unfinished()
        placing = self._place(crowd)
        return Findings(
            plan=plan, cores=os.cpu_count() or 1, ready=ready, idle=idle, storm=storm, wipe=wipe, placing=placing,
            overcommitted=self._ledger.overcommitted(), doubled=doubled,
            faulted=faulted + self._ledger.unplaced())

    # --- the parts -----------------------------------------------------------------------------------

    def _idle(self) -> Idle:
        before = self._meters.begin()
        time.sleep(self._plan.idle)
        spent = self._meters.since(before)
        return Idle(seconds=self._plan.idle, spent=spent,
                    fetches=WORKERS * self._plan.hosts * self._plan.idle / self._plan.heartbeat)

    def _storm(self, crowd: Crowd) -> Storm:
        count, meters = self._plan.launches, self._meters
        messages, transactions, before = meters.messages(), meters.transactions(), meters.begin()
        began = time.monotonic()
        posts = sorted(crowd.launch(count, self._plan.clients))
        answered = time.monotonic() - began
        self._say(f"{count} launches were answered after {answered:.1f} s")
        self._wait(self._ledger.unfinished, "not active")
        active = time.monotonic() - began
        spent = meters.since(before)
        self._say(f"all were active after {active:.1f} s")
        taken = sorted(self._ledger.to_active())
        return Storm(
            boots=count, answered=answered, active=active, post_p50=_percentile(posts, 50),
            post_p99=_percentile(posts, 99), to_active_p50=_percentile(taken, 50), to_active_p99=_percentile(taken, 99),
            transactions=meters.transactions() - transactions, messages=meters.messages() - messages, spent=spent)

    def _wipe(self, crowd: Crowd) -> Wipe:
        site, count = self.site, self._plan.in_flight
        crowd.launch(count, self._plan.clients, min(A_REQUEST, count))
        in_flight = self._ledger.unfinished()
        before, away = self._meters.begin(), time.monotonic()
        site.broker.stop()
        site.broker.wipe()
        site.broker.start()
        began, since = time.monotonic(), time.time()
        self._say(f"the broker was away for {began - away:.1f} s, with {in_flight} instances in flight")
        self._wait(lambda: self._ledger.silent(since), "not heard of")
        reconnected = time.monotonic() - began
        self._wait(self._ledger.unfinished, "not active")
        active = time.monotonic() - began
        self._say(f"all hosts were heard of after {reconnected:.1f} s, all instances active after {active:.1f} s")
        return Wipe(in_flight=in_flight, away=began - away, reconnected=reconnected, active=active,
                    spent=self._meters.since(before))

    def _place(self, crowd: Crowd) -> Placing:
        """Everybody but the schedulers stands still, so that nothing else is measured."""
        schedulers = [name for name in self.site.names if kind_of(name) == "scheduler"]
        others = [name for name in self.site.names if kind_of(name) in (*HOST_KINDS, "conductor")]
        for name in schedulers:
            self.site.stop_daemon(name)
        crowd.launch(self._plan.launches, self._plan.clients, A_REQUEST)
        self._say(f"{self._ledger.unplaced()} instances wait for {len(schedulers)} schedulers")
        still = [KeptProcess(self.site.folder / "run" / f"{name}.pid") for name in others]
        for process in still:
            process.freeze()
        before, since = self._meters.begin(), time.time()
        for name in schedulers:
            self.site.spawn(name)
        self._wait(self._ledger.unplaced, "without a host")
        spent = self._meters.since(before)
        for process in still:
            process.thaw()
        placed, seconds = self._ledger.placing(since)
        self._say(f"{placed} were placed in {seconds:.1f} s")
        return Placing(placed=placed, schedulers=len(schedulers), seconds=seconds, spent=spent)

    def _wait(self, left: Callable[[], int], words: str) -> None:
        if not wait_for(lambda: not left(), self._plan.patience, LOOK):
            raise RuntimeError(f"After {self._plan.patience:.0f} s {left()} were {words}; "
                               f"the logs are in {self.site.folder}/log.")


def _percentile(ordered: list[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0
