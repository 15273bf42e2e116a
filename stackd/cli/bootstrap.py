"""``stackd bootstrap``: a new cloud of many processes gets its schema, its first projects and its clients' files."""

import argparse
from pathlib import Path


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's arguments."""
    parser = subcommands.add_parser(
        "bootstrap", help="give a new cloud its schema and its first projects",
        description="Bring the database to this release, make flavors, the external network and the projects admin and "
                    "demo, and write what clients read into the state folder. What is there stays.")
    parser.add_argument("--config", type=Path, metavar="FILE", required=True, help="configuration of stack-api")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the answer is where the clients' files are."""
    from stackd.config.loading import load_file
    from stackd.daemons.bootstrapping import bootstrap
    from stackd.daemons.running import run_once

    config = load_file(arguments.config)
    run_once(lambda reactor: bootstrap(reactor, config))
    print(f"Clients find the cloud by clouds.yaml, openrc and aws.env in {config.cloud.state}.")
    return 0
