"""``stackd quota``: show and set the limits of a project."""

import argparse

import attrs

from stackd.cli.asking import add_options, ask_and_show
from stackd.model.quotas import QuotaSet

LIMITS = tuple(field.name for field in attrs.fields(QuotaSet))


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's actions and their arguments."""
    parser = subcommands.add_parser("quota", help="show and set the limits of a project")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    show = actions.add_parser("show", help="limits and what is in use")
    show.add_argument("project", help="its name or id")
    add_options(show)
    change = actions.add_parser("set", help="change limits; what is not named stays as it is")
    change.add_argument("project", help="its name or id")
    change.add_argument("limits", nargs="+", type=limit, metavar="NAME=NUMBER",
                        help=f"-1 is unlimited; names: {', '.join(LIMITS)}")
    add_options(change)
    parser.set_defaults(run=run)


def limit(text: str) -> tuple[str, int]:
    """Parse ``NAME=NUMBER``."""
    name, _, number = text.partition("=")
    if name not in LIMITS:
        raise argparse.ArgumentTypeError(f"{name!r} is no limit; choose from {', '.join(LIMITS)}")
    try:
        value = int(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write {name}=NUMBER") from None
    if value < -1:
        raise argparse.ArgumentTypeError(f"{text!r}: a limit is -1 (unlimited), 0 or more")
    return name, value


def run(arguments: argparse.Namespace) -> int:
    """Ask and print."""
    body = {"project": arguments.project}
    if arguments.action == "set":
        body["limits"] = dict(arguments.limits)
    return ask_and_show(arguments, f"quota-{arguments.action}", body)
