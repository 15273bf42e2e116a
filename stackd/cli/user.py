"""``stackd user``: list, create and delete users, set passwords, grant and revoke roles."""

import argparse
import getpass
import sys

from stackd.cli.asking import add_options, ask_and_show
from stackd.model.callers import MEMBER, ROLES


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's actions and their arguments."""
    parser = subcommands.add_parser("user", help="list, create and delete users; passwords and roles")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    add_options(actions.add_parser("list", help="all users"))
    create = actions.add_parser("create", help="make a user; the password is asked for, or read from standard input")
    create.add_argument("name")
    create.add_argument("--email", default="")
    create.add_argument("--project", default="", help="give a role in this project at once (name or id)")
    create.add_argument("--role", choices=ROLES, default=MEMBER)
    add_options(create)
    for action, text in (("delete", "remove a user"), ("password", "set a user's password")):
        named = actions.add_parser(action, help=text)
        named.add_argument("user", help="the user's name or id")
        add_options(named)
    for action in ("grant", "revoke"):
        role = actions.add_parser(action, help=f"{action} a role in a project")
        role.add_argument("user", help="the user's name or id")
        role.add_argument("project", help="the project's name or id")
        role.add_argument("role", choices=ROLES)
        add_options(role)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask and print; a password never stands among the arguments, where other users of the machine see it."""
    wanted = ("name", "email", "project", "role", "user")
    body = {name: value for name, value in vars(arguments).items() if name in wanted}
    if arguments.action in ("create", "password"):
        body["password"] = read_password()
    return ask_and_show(arguments, f"user-{arguments.action}", body)


def read_password() -> str:
    """From the terminal without showing it, or the first line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")
