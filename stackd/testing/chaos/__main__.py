"""``python -m stackd.testing.chaos [--minutes M] [--database NAME] [--drivers fake|real]``; ``make chaos`` calls it.

It makes a site of its own, runs, prints a table, and leaves nothing behind but the journal and the daemons' logs. The
exit status is 1 when anything was violated.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from stackd.testing.chaos.clients import Pace
from stackd.testing.chaos.journal import Journal
from stackd.testing.chaos.run import SETTLES_WITHIN, Options, Run
from stackd.testing.chaos.telling import Result, table
from stackd.testing.lab.bringing import bring_up
from stackd.testing.lab.options import FAKE, REAL, SiteOptions
from stackd.testing.lab.site import Site
from stackd.testing.servers import SERVERS

SETTINGS = {"hosts": {"heartbeat": 5.0}, "bus": {"heartbeat": 5.0}}
"""A broker that is frozen is given up within 15 s, and a host seen as soon as on a busy cloud."""

SLOW = Pace(pause=6.0, most_servers=2, most_addresses=1)
SLOWLY = 600.0
"""Real guests are emulated where there is no KVM; a handful of them keeps a machine busy."""


def main() -> int:
    """Run; the exit status."""
    arguments = _arguments()
    kept = Path(tempfile.mkdtemp(prefix="stackd-chaos-"))
    site = Site(kept / "site", SiteOptions(
        drivers=arguments.drivers, database=arguments.database, hosts=arguments.hosts, name="chaos", schedulers=2,
        conductors=2, api_workers=2, settings=SETTINGS))
    try:
        if arguments.drivers == REAL:
            bring_up(site.folder, site.options, arguments.images)
        else:
            site.prepare()
            site.start()
        result, journal = _run(site, arguments, kept / "chaos.jsonl")
        print(table(result, journal))
        print(f"  the logs of all daemons are in {kept}")
    finally:
        _keep(site, kept)
        site.remove()
    return 0 if result.well else 1


def _run(site: Site, arguments: argparse.Namespace, journal: Path) -> tuple[Result, Journal]:
    real = arguments.drivers == REAL
    options = Options(minutes=arguments.minutes, seed=arguments.seed, say=_say,
                      clients=arguments.clients or (2 if real else 6), pace=SLOW if real else Pace(),
                      settles_within=SLOWLY if real else SETTLES_WITHIN)
    run = Run(site, options, journal)
    return run.whole(), run.journal


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stackd.testing.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long clients and monkey go on (default: 5)")
    parser.add_argument("--database", choices=sorted(SERVERS), default="postgresql")
    parser.add_argument("--drivers", choices=(FAKE, REAL), default=FAKE, help="what the hosts are made of")
    parser.add_argument("--images", type=Path, default=Path(".state/guest-image"), metavar="DIR",
                        help="where the image for real guests is, or is built")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--clients", type=int, help="how many users (default: 6, or 2 with real guests)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="the same mischief again")
    return parser.parse_args()


def _keep(site: Site, kept: Path) -> None:
    """What explains a violation outlives the site."""
    if (site.folder / "log").exists():
        shutil.move(site.folder / "log", kept / "log")


def _say(words: str) -> None:
    print(f"chaos: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
