"""``stackd project``: list, create and delete projects."""

import argparse

from stackd.cli.asking import add_options, ask_and_show


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's actions and their arguments."""
    parser = subcommands.add_parser("project", help="list, create and delete projects")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    add_options(actions.add_parser("list", help="all projects"))
    create = actions.add_parser("create", help="make a project")
    create.add_argument("name")
    create.add_argument("--description", default="")
    add_options(create)
    delete = actions.add_parser("delete", help="remove an empty project")
    delete.add_argument("project", help="its name or id")
    add_options(delete)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask and print."""
    wanted = ("name", "description", "project")
    body = {name: value for name, value in vars(arguments).items() if name in wanted}
    return ask_and_show(arguments, f"project-{arguments.action}", body)
