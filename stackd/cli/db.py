"""``stackd db``: bring the database's schema to this release, or tell which version it has.

``stackd db restored`` is for a database that was put back from a copy.
"""

import argparse
from pathlib import Path


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
    from stackd.config.sections import Config
    from stackd.store import schema
    from stackd.store.copies import restored

    config = load_file(arguments.config) if arguments.config else Config()
    url = arguments.url or config.database.url
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
    print(f"This release needs {newest}: run 'stackd db upgrade'.")
    return 1
