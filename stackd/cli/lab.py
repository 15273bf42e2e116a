"""``stackd lab``: a cloud of many processes and several hosts on one machine, to be tried out and taken apart."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stackd import errors

if TYPE_CHECKING:
    from stackd.testing.lab.site import Site

T = TypeVar("T")
STATE = ".lab"
IMAGES = ".state/guest-image"


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's arguments."""
    parser = subcommands.add_parser(
        "lab", help="a cloud of several hosts on this machine",
        description="A controller with RabbitMQ and a database, and N hosts, each a network namespace with its own "
                    "libvirtd and workers; every daemon is a process of its own. Real hosts need root.")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    up = _action(actions, "up", "bring it up, or what of it does not run", bring_up)
    up.add_argument("--hosts", type=int, default=None, metavar="N", help="how many hosts there are (default: 3)")
    up.add_argument("--db", choices=("postgresql", "mariadb"), default=None, help="the database (default: postgresql)")
    up.add_argument("--drivers", choices=("real", "fake"), default=None,
                    help="real: libvirt and Linux networking; fake: no root, no guests (default: real)")
    up.add_argument("--image", type=Path, default=Path(IMAGES), metavar="DIR",
                    help=f"folder of the guest image, built when it is not there (default: {IMAGES})")
    _action(actions, "down", "remove all of it, with every guest", take_down)
    _action(actions, "status", "what of it runs", show_status)


def bring_up(arguments: argparse.Namespace) -> int:
    """Bring it up and say how to use it."""
    from stackd.testing.lab.bringing import bring_up, guide
    from stackd.testing.lab.options import REAL, SiteOptions, kept_options

    known = kept_options(arguments.state) or SiteOptions(drivers=REAL)
    asked = SiteOptions(hosts=arguments.hosts or known.hosts, database=arguments.db or known.database,
                        drivers=arguments.drivers or known.drivers)
    _demand_root(asked.drivers)
    site = _worded(lambda: bring_up(arguments.state, asked, arguments.image))
    print(f"\nThe lab is up: {len(site.hosts)} hosts.\n{guide(site)}\n")
    return 0


def take_down(arguments: argparse.Namespace) -> int:
    """Remove it."""
    site = _standing(arguments.state)
    _demand_root(site.options.drivers)
    _worded(site.remove)
    print(f"Nothing is left of the lab in {arguments.state}.")
    return 0


def show_status(arguments: argparse.Namespace) -> int:
    """A line for each process; the exit status is 1 when one of them does not run."""
    site = _standing(arguments.state)
    pids = {"rabbitmq": site.broker.pid, site.options.database: site.server.pid,
            **{name: site.pid(name) for name in site.names}}
    for name, pid in pids.items():
        print(f"{name:<20} {f'runs, process {pid}' if pid else 'does not run'}")
    return 0 if all(pids.values()) else 1


def _action(actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, words: str,
            run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=words, description=f"{words.capitalize()}.")
    parser.add_argument("--state", type=Path, default=Path(STATE), metavar="DIR",
                        help=f"folder of the lab (default: {STATE})")
    parser.set_defaults(run=run)
    return parser


def _standing(state: Path) -> "Site":
    from stackd.testing.lab.options import kept_options
    from stackd.testing.lab.site import Site

    if kept_options(state) is None:
        raise errors.NotFound("lab", str(state), remedy="Name its folder with --state, or make one: stackd lab up.")
    return Site(state)


def _demand_root(drivers: str) -> None:
    if drivers == "real" and os.geteuid():
        raise errors.BadConfiguration("A lab of real hosts makes network namespaces and guests.",
                                      remedy="Run it as root, or with --drivers fake.")


def _worded(work: Callable[[], T]) -> T:
    """What a server or daemon that did not start says, without a traceback."""
    try:
        return work()
    except RuntimeError as error:
        raise errors.StackdError(f"{error}\n", remedy="Mend it and run the command again; it continues.") from error
