"""``stackd reset``: the running cloud on fake drivers is as new; for test suites that use stackd as their cloud."""

import argparse

from stackd.cli.asking import add_options, ask_and_show


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's arguments."""
    parser = subcommands.add_parser("reset", help="make the running cloud as new (fake drivers only)")
    add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask the cloud to forget everything."""
    return ask_and_show(arguments, "reset", {})
