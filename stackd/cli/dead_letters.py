"""``stackd dead-letters``: reports that could not be applied are shown, sent again or dropped."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from attrs import asdict

from stackd import errors
from stackd.cli.asking import rendered


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's actions and their arguments."""
    parser = subcommands.add_parser("dead-letters", help="reports that could not be applied: show, send again, drop")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    texts = {"list": "the oldest first", "requeue": "send them again, when their cause was mended",
             "drop": "forget them; hosts tell anew what they see, so nothing is lost"}
    for action, text in texts.items():
        named = actions.add_parser(action, help=text)
        named.add_argument("--config", type=Path, metavar="FILE", required=True,
                           help="configuration of a daemon of the control plane")
        if action == "list":
            named.add_argument("--json", action="store_true", help="print them whole, as JSON")
        else:
            named.add_argument("ids", nargs="*", metavar="ID", help="as the list shows them")
            named.add_argument("--all", action="store_true", help="every one")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and print what it was done with."""
    from stackd.cli.connections import SHOWN, with_bus
    from stackd.config.loading import load_file
    from stackd.daemons.running import run_once

    config = load_file(arguments.config)
    if arguments.action == "list":
        letters = run_once(lambda reactor: with_bus(reactor, config, lambda bus: bus.set_aside(SHOWN)))
        print(json.dumps([asdict(letter) for letter in letters], indent=2) if arguments.json
              else rendered([line(letter) for letter in letters]) or "Nothing is set aside.")
        if len(letters) >= SHOWN:
            print(f"{SHOWN} or more are set aside; these are the oldest {SHOWN}.", file=sys.stderr)
        return 0
    if bool(arguments.ids) == arguments.all:
        raise errors.InvalidValue("ID", "name some, or say --all")
    ids = None if arguments.all else frozenset(arguments.ids)
    done = run_once(lambda reactor: with_bus(
        reactor, config, lambda bus: getattr(bus.dead_letters(), arguments.action)(ids)))
    print(f"{len(done)} " + ("sent again." if arguments.action == "requeue" else "dropped."))
    missing = sorted((ids or frozenset()) - {letter.id for letter in done})
    if missing:
        raise errors.InvalidValue("ID", f"not set aside any more: {', '.join(missing)}")
    return 0


def line(letter: Any) -> dict[str, str]:
    """A letter in a table; what others wrote is shown without what could move a terminal."""
    about = {name: json.dumps(letter.body.get(name, ""))[1:40].rstrip('"') for name in ("host", "worker")}
    return {"id": letter.id, "to": _plain(letter.address), "from": _plain(letter.sender),
            "reason": _plain(letter.reason), **about}


def _plain(words: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in words)[:80]
