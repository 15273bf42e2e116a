"""How subcommands ask a running cloud: HTTP on the socket ``DIR/operator.sock``, which ``daemons/operator.py`` serves.

Whoever may open the socket (its owner) is the operator; no password is needed.
"""

import argparse
import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any

import orjson

from stackd import errors

SOCKET = "operator.sock"
STATE_VARIABLE = "STACKD_STATE"


class OperatorConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        """``timeout`` in seconds counts for each read and write."""
        super().__init__("operator", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket; raises ``OSError`` when nobody listens."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def ask(state: Path, command: str, body: dict[str, Any], timeout: float = 60.0) -> Any:
    """The running cloud's answer, a JSON value; raises ``Unavailable`` when no cloud runs, or what it answered."""
    connection = OperatorConnection(state / SOCKET, timeout)
    try:
        connection.request("POST", f"/{command}", orjson.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = orjson.loads(response.read())
    except OSError as error:
        raise errors.Unavailable(
            f"No cloud answers on {state / SOCKET}: {error}.",
            remedy="Start it: 'stackd cloud', or stack-api where daemons are separate. If it runs, name its "
                   "folder with --state.") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise errors.StackdError(answer["message"], remedy=answer["remedy"])
    return answer["answer"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare ``--state`` and ``--json``."""
    parser.add_argument("--state", type=Path, metavar="DIR",
                        default=Path(os.environ.get(STATE_VARIABLE, ".state")),
                        help=f"folder of the running cloud (default: ${STATE_VARIABLE}, else .state)")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def ask_and_show(arguments: argparse.Namespace, command: str, body: dict[str, Any]) -> int:
    """Ask, print the answer, and give the exit status."""
    answer = ask(arguments.state, command, body)
    print(json.dumps(answer, indent=2) if arguments.json else rendered(answer))
    return 0


def rendered(answer: Any) -> str:
    """The answer as text: a list of objects as a table, an object as one line a key, all else as it is."""
    if isinstance(answer, dict):
        width = max(map(len, answer), default=0)
        return "\n".join(f"{key:<{width}}  {cell(value)}" for key, value in answer.items())
    if isinstance(answer, list) and answer and all(isinstance(row, dict) for row in answer):
        return table(answer)
    if isinstance(answer, list):
        return "\n".join(map(cell, answer))
    return cell(answer)


def table(rows: list[dict[str, Any]]) -> str:
    """Objects with the same keys as columns under a headline."""
    lines = [list(rows[0]), *([cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def cell(value: Any) -> str:
    """One value as a person writes it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)
