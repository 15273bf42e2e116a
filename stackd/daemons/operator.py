"""The operator's socket: ``DIR/operator.sock``, HTTP with one path per command; ``stackd explain`` and others ask it.

A command is a coroutine function of a JSON object that gives a JSON value. The daemon that has the core
(``stack-cloud``, ``stack-api``) hands them over by name. Who may open the socket is decided by its mode.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from twisted.application.internet import StreamServerEndpointService
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from stackd import errors

Command = Callable[[dict[str, Any]], Awaitable[Any]]

log = Logger()


class OperatorResource(Resource):
    """Answers ``POST /COMMAND``."""

    isLeaf = True

    def __init__(self, commands: Mapping[str, Command]) -> None:
        """``commands`` by name, for example ``quota-set``."""
        super().__init__()
        self._commands = commands

    def render_POST(self, request: Request) -> int:
        """Run the command; the answer follows."""
        ensureDeferred(self._answer(request))
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        name = request.path.decode("ascii", "replace").strip("/")
        body = request.content.read() if request.content else b""
        try:
            if name not in self._commands:
                raise errors.NotSupported(f"This cloud has no operator command {name!r}.")
            answer = {"answer": await self._commands[name](orjson.loads(body))}
        except errors.StackdError as error:
            request.setResponseCode(400)
            answer = {"message": error.message, "remedy": error.remedy}
        except Exception as error:
            log.failure("operator command {command} failed", command=name)
            request.setResponseCode(500)
            answer = {"message": f"{name}: {type(error).__name__}: {error}", "remedy": "See the log of the cloud."}
        request.setHeader("Content-Type", "application/json")
        request.write(orjson.dumps(answer))
        request.finish()


def operator_service(reactor: Any, path: Path, commands: Mapping[str, Command]) -> StreamServerEndpointService:
    """A service that listens on the socket, which only its owner may open."""
    path.unlink(missing_ok=True)  # left behind by a process that was killed
    endpoint = UNIXServerEndpoint(reactor, str(path), mode=0o600, wantPID=False)
    return StreamServerEndpointService(endpoint, Site(OperatorResource(commands)))

