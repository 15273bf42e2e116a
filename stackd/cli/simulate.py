"""``stackd simulate``: a cloud of thousands of fake hosts on this machine, measured and taken down."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import orjson
from attrs import asdict

A_PROJECT = 50
"""Launches for each project, unless it is said otherwise: members of one group are told to each of its hosts."""


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand and its arguments."""
    parser = subcommands.add_parser(
        "simulate", help="measure a cloud of many fake hosts",
        description="Start every daemon as a process of its own on a RabbitMQ and a database server of their own, with "
                    "fake hosts; launch, wipe the broker, place, and print what it took.")
    parser.add_argument("--hosts", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--launch", type=int, default=1000, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--in-flight", type=int, metavar="N", help="how many are launched right before the broker is "
                                                                   "wiped (default: a tenth of the launches)")
    parser.add_argument("--db", choices=("postgresql", "mariadb"), default="postgresql")
    for name, number in (("schedulers", 4), ("conductors", 2), ("apis", 1), ("clients", 16)):
        parser.add_argument(f"--{name}", type=int, default=number, help="how many (default: %(default)s)")
    parser.add_argument("--projects", type=int, help=f"how many (default: one for {A_PROJECT} launches)")
    parser.add_argument("--hosts-per-process", type=int, default=1000, metavar="N",
                        help="how many hosts a pair of processes plays (default: %(default)s)")
    parser.add_argument("--heartbeat", type=float, default=10.0, metavar="SECONDS",
                        help="how often a host asks (default: %(default)g)")
    parser.add_argument("--idle", type=float, default=20.0, metavar="SECONDS",
                        help="for how long heartbeats alone are measured (default: %(default)g)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make it in this new folder, and leave it running")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The exit status is 1 when anything was lost or doubled."""
    from stackd.testing.simulation.plan import Plan
    from stackd.testing.simulation.rendering import rendered
    from stackd.testing.simulation.simulation import Simulation

    count = arguments.launch
    plan = Plan(
        hosts=arguments.hosts, launches=count, database=arguments.db, schedulers=arguments.schedulers,
        in_flight=max(1, count // 10) if arguments.in_flight is None else arguments.in_flight,
        conductors=arguments.conductors, apis=arguments.apis, clients=arguments.clients, heartbeat=arguments.heartbeat,
        projects=arguments.projects or 1 + (count - 1) // A_PROJECT, idle=arguments.idle,
        hosts_per_process=arguments.hosts_per_process)
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="stackd-simulation-"))
    began = time.monotonic()
    # Whatever ends us, the cloud is taken down before.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    simulation = Simulation(folder, plan, lambda words: print(
        f"{time.monotonic() - began:7.1f} s  {words}", file=sys.stderr, flush=True))
    try:
        found = simulation.findings()
    finally:
        if arguments.keep is None:
            simulation.site.remove()
            shutil.rmtree(folder, ignore_errors=True)
    print(orjson.dumps(asdict(found)).decode() if arguments.json else rendered(found))
    return 0 if found.well else 1
