"""The crash suite on real servers: ``python -m stackd.testing.crashing --db postgresql``, which ``make crash`` calls.

Starts a broker and a database server of its own, runs the suite on them in processes of their own, and removes them.
What stands after ``--`` goes to pytest. Without ``--db`` the database is sqlite in memory, without ``--broker`` the bus
is, too.
``--jobs`` processes share the tests, each with a database of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from stackd.store import schema
from stackd.testing import brokered, databases
from stackd.testing.broker import RabbitMq
from stackd.testing.servers import SERVERS

SUITE = Path("tests") / "crash"
LONGEST = 4 * 3600.0


def environment(held: ExitStack, db: str, broker: bool, jobs: int) -> dict[str, str]:
    """The variables that put the suite on servers, which run until ``held`` is left."""
    found: dict[str, str] = {}
    if broker:
        rabbitmq = RabbitMq(Path(tempfile.mkdtemp(prefix="stackd-rabbitmq-")))
        held.callback(rabbitmq.end)
        rabbitmq.start()
        found[brokered.VARIABLE] = rabbitmq.url
    if db:
        server = SERVERS[db]()
        held.callback(server.wipe)
        server.start()
        for number in range(jobs):
            schema.upgrade(server.create(f"stackd_gw{number}"))
        found[databases.VARIABLE] = server.url_of("stackd_{worker}")
    return found


def main(arguments: list[str]) -> int:
    """Run it; the exit status is pytest's."""
    parser = argparse.ArgumentParser(prog="python -m stackd.testing.crashing")
    parser.add_argument("--db", choices=("", *sorted(SERVERS)), default="", help="a database server")
    parser.add_argument("--broker", action="store_true", help="a RabbitMQ")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes share the tests")
    parser.add_argument("pytest", nargs="*", help="what pytest is given beside the suite")
    chosen = parser.parse_args(arguments)
    with ExitStack() as held:
        variables = environment(held, chosen.db, chosen.broker, chosen.jobs)
        return subprocess.run([sys.executable, "-m", "pytest", "-n", str(chosen.jobs), str(SUITE), *chosen.pytest],
                              env=os.environ | variables, check=False, timeout=LONGEST).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
