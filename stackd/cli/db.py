"""``stackd db``: bring the database's schema to this release, or tell which version it has.

``stackd db restored`` is for a database that was put back from a copy.
"""

import argparse
from pathlib import Path

from stackd import errors


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's actions and their arguments."""
    parser = subcommands.add_parser(
        "db", help="upgrade the database's schema, or tell its version",
        description="upgrade: bring the schema to this release. version: tell which one it has. restored: the database "
                    "was put back from a copy, so upgrade it, and let every host fetch everything anew; before the "
                    "daemons of the control plane are started.")
    parser.add_argument("action", choices=("upgrade", "version", "restored"))
    parser.add_argument("--config", type=Path, metavar="FILE", help="take the database from this configuration file")
    parser.add_argument("--url", help="the database's SQLAlchemy URL; wins over the configuration")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the answer is the version."""
    from stackd.config.loading import load_file
    from stackd.store import schema
    from stackd.store.copies import restored

    if not arguments.url and not arguments.config:
        raise errors.BadConfiguration("It is not said which database.", remedy=(
            "Name it: --config FILE, the configuration of a daemon that has it, or --url URL."))
    url = arguments.url or load_file(arguments.config).database.url
    if arguments.action != "version":
        schema.upgrade(url)
    if arguments.action == "restored":
        restored(url)
    have, newest = schema.version(url), schema.newest()
    print(have or "empty")
    if have == newest:
        return 0
    if have and newest and have > newest:
        print(f"That is of a later release; this one knows {newest}.")
        return 0
    # An address may have a password in it, and is not shown.
    where = "--url URL" if arguments.url else f"--config {arguments.config}"
    print(f"This release needs {newest}: run 'stackd db upgrade {where}'.")
    return 1
