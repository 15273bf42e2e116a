"""``python -m stackd.testing.chaos [--minutes M] [--database NAME] [--seed N]``; ``make chaos`` calls it.

It makes a site of its own, runs, prints a table, and leaves nothing behind but the journal and the daemons' logs. The
exit status is 1 when anything was violated.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from stackd.testing.chaos.run import Options, Run
from stackd.testing.chaos.telling import table
from stackd.testing.lab.options import FAKE, SiteOptions
from stackd.testing.lab.site import Site
from stackd.testing.servers import SERVERS

SETTINGS = {"hosts": {"heartbeat": 5.0}, "bus": {"heartbeat": 5.0}}
"""A broker that is frozen is given up within 15 s, and a host seen as soon as on a busy cloud."""


def main() -> int:
    """Run; the exit status."""
    arguments = _arguments()
    kept = Path(tempfile.mkdtemp(prefix="stackd-chaos-"))
    site = Site(kept / "site", SiteOptions(
        database=arguments.database, hosts=arguments.hosts, schedulers=2, conductors=2, api_workers=2,
        settings=SETTINGS))
    try:
        site.prepare()
        site.start()
        run = Run(site, Options(minutes=arguments.minutes, seed=arguments.seed, clients=arguments.clients, say=_say),
                  kept / "chaos.jsonl")
        result = run.whole()
        print(table(result, run.journal))
        print(f"  the logs of all daemons are in {kept}")
    finally:
        _keep(site, kept)
        site.remove()
    return 0 if result.well else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stackd.testing.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long clients and monkey go on (default: 5)")
    parser.add_argument("--database", choices=sorted(SERVERS), default="postgresql")
    parser.add_argument("--drivers", choices=(FAKE,), default=FAKE, help="what the hosts are made of")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--clients", type=int, default=6)
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
