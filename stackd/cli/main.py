"""The command ``stackd``: reads the arguments and calls the chosen subcommand. The console script starts it."""

import argparse
import sys
from collections.abc import Sequence

from stackd import errors
from stackd.cli import (
    bootstrap,
    cloud,
    db,
    dead_letters,
    doctor,
    explain,
    host,
    lab,
    project,
    quota,
    reset,
    simulate,
    user,
)

SUBCOMMANDS = (cloud, reset, explain, doctor, dead_letters, db, bootstrap, host, user, project, quota, lab, simulate)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command; each subcommand adds its own and names its function in ``run``."""
    parser = argparse.ArgumentParser(prog="stackd", description="Operate a stackd cloud.")
    subcommands = parser.add_subparsers(metavar="COMMAND", required=True)
    for subcommand in SUBCOMMANDS:
        subcommand.add(subcommands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0, 1 for what went wrong, or 2 for wrong arguments."""
    chosen = make_parser().parse_args(arguments)
    try:
        status: int = chosen.run(chosen)
    except errors.StackdError as error:
        print(f"stackd: {error}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
