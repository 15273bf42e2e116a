"""``stackd explain``: what is desired and observed of one resource, who must act next, and its history."""

import argparse

from stackd.cli.asking import add_options, ask_and_show


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's arguments."""
    parser = subcommands.add_parser("explain", help="why a resource is as it is, and who must act next")
    parser.add_argument("id", help="of an instance, a key pair or anything of networks, as either API shows it: a "
                                   "UUID, or i-..., vpc-..., eni-...; or the name of a host")
    add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask and print."""
    return ask_and_show(arguments, "explain", {"id": arguments.id})
