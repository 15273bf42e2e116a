"""``stackd cloud``: the whole cloud in the foreground, for demonstrations, tests and one machine."""

import argparse
from pathlib import Path


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's arguments."""
    parser = subcommands.add_parser(
        "cloud", help="run the whole cloud in the foreground",
        description="Run every daemon in one process. Ready when it prints 'stackd cloud ready'; SIGTERM stops it, "
                    "and a second start on the same folder continues where it was.")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR",
                        help="folder of the database, the images and the clients' credential files")
    parser.add_argument("--drivers", choices=("fake", "real"), default=None,
                        help="fake: no root, no guests; real: libvirt and Linux networking (default: fake)")
    parser.add_argument("--host", metavar="ADDR", help="address the APIs listen on")
    parser.add_argument("--port-base", type=int, metavar="N",
                        help="N: EC2 and STS, N+1: the OpenStack APIs, N+2: metadata")
    parser.add_argument("--hosts", type=int, metavar="N", help="how many hosts there are (fake drivers)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file; the options here win over it")
    parser.add_argument("--sweep", action="store_true",
                        help="run nothing; remove what a stopped cloud left on this machine: guests, networks, mounts")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until a signal comes, or sweep."""
    from stackd.daemons.cloud import run_in_foreground, sweep

    if arguments.sweep:
        return sweep(arguments.state)
    return run_in_foreground(
        state=arguments.state, drivers=arguments.drivers, host=arguments.host,
        port_base=arguments.port_base, hosts=arguments.hosts, config=arguments.config)
