"""The web resource of EC2 and STS: every request is one action, at ``/``, by POST or GET.

It decides which of the two services is meant, finds the caller, has the action answered and turns every error into
clean XML; what is not of our tree of errors is logged under the request id and shown as InternalError.
Mounted by ``daemons``; takes nothing from the URL's path.
"""

import uuid
from collections.abc import Callable

from attrs import evolve
from twisted.internet import defer
from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from stackd import errors
from stackd.api.ec2 import faults, requests
from stackd.api.ec2.authentication import authenticate
from stackd.api.ec2.calls import Call
from stackd.api.ec2.dispatch import EC2, STS, Api
from stackd.api.ec2.model import SERVICES
from stackd.api.ec2.requests import WireRequest
from stackd.api.sites import note
from stackd.core.cloud import Cloud
from stackd.interfaces.clock import Clock
from stackd.interfaces.identity import IIdentity

log = Logger()
NAMESPACES = {"ec2": "http://ec2.amazonaws.com/doc/2016-11-15/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
"""As in the models; errors need them before a model is read."""


def _new_request_id() -> str:
    return f"req-{uuid.uuid4()}"


class QueryApi(Resource):
    """EC2 and STS at one address, told apart by the API version or by the service the request was signed for."""

    isLeaf = True

    def __init__(self, identity: IIdentity, clock: Clock, region: str, core: Cloud,
                 new_request_id: Callable[[], str] = _new_request_id) -> None:
        """``identity`` knows callers by their keys; ``core`` are the use cases; ``region`` is the only one."""
        super().__init__()
        self._identity = identity
        self._clock = clock
        self._region = region
        self._core = core
        self._new_request_id = new_request_id
        self._apis = {"ec2": Api("ec2", EC2), "sts": Api("sts", STS)}

    def render(self, request: Request) -> int:
        """Twisted's way in; answers later."""
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        defer.ensureDeferred(self._answer(request, gone))
        return NOT_DONE_YET

    async def _answer(self, request: Request, gone: list[object]) -> None:
        status, body = await self.respond(request)
        if gone:
            return  # the client has closed the connection
        request.setResponseCode(status)
        request.setHeader("Content-Type", "text/xml;charset=UTF-8")
        request.setHeader("Content-Length", str(len(body)))
        if request.method != b"HEAD":
            request.write(body)
        request.finish()

    async def respond(self, request: Request) -> tuple[int, bytes]:
        """Status and body for a request, whatever happens."""
        request_id = self._new_request_id()
        request.setHeader("x-amzn-requestid", request_id)
        service = "ec2"
        try:
            wire = requests.from_twisted(request)
            service = service_of(wire)
            note(request, action=wire.first("Action")[:64])
            return 200, await self._carry_out(request, wire, service, request_id)
        except errors.StackdError as error:
            problem: errors.StackdError = error
        except Exception:
            log.failure("request {request_id} failed", request_id=request_id)
            problem = errors.Internal(f"An internal error has occurred ({request_id}).")
        return faults.render(problem, request_id, service, NAMESPACES[service])

    async def _carry_out(self, request: Request, wire: WireRequest, service: str, request_id: str) -> bytes:
        if wire.method not in ("POST", "GET"):
            raise errors.MethodNotAllowed(f"The method {wire.method} is not allowed.", remedy="Use POST.")
        api = self._apis[service]
        action = wire.first("Action")
        now = self._clock.seconds()
        caller = await authenticate(wire, self._identity, self._region, service, now, request_id)
        note(request, project=caller.project_id)
        api.find(action, wire.first("Version"))
        call = Call(action=action, caller=evolve(caller, request_id=request_id), parameters={}, core=self._core,
                    region=self._region, endpoint=wire.headers.get("host", "localhost"), now=now)
        return await api.respond(call, wire.parameters())


def service_of(wire: WireRequest) -> str:
    """Which service a request is for: by its API version, else by its signature's scope, else EC2."""
    known = SERVICES.get(wire.first("Version"))
    if known:
        return known
    scoped = wire.headers.get("authorization", "") + wire.first("X-Amz-Credential")
    return "sts" if "/sts/aws4_request" in scoped else "ec2"
