"""The web layer of every OpenStack API: one decorator from a Klein route to a call and back.

A service is a class with ``app = Klein()``, deriving :class:`Service`; its methods are ``@app.route``d and
decorated with :func:`operation`. The decorator finds the caller, parses and validates the body, renders the
answer, and turns every error into a fault in the service's vocabulary.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import jsonschema
import orjson
from attrs import field, frozen
from klein import Klein
from twisted.internet import defer
from twisted.logger import Logger
from twisted.web.http import Request
from werkzeug.exceptions import HTTPException

from stackd import errors
from stackd.api.openstack import faults
from stackd.api.sites import MAX_BODY, note
from stackd.interfaces.identity import IIdentity
from stackd.model.callers import Caller

log = Logger()
MOST_PROBLEMS = 20
MOST_WORDS = 300
NOBODY = Caller(user_id="", user_name="", project_id="", project_name="", roles=frozenset(), request_id="")


@frozen(kw_only=True)
class Call:
    """One request, parsed. ``query`` keeps order and repeats; ``body`` is the JSON value or None.

    ``base`` is scheme and host as the client wrote them, for links; ``version`` the negotiated microversion
    as (major, minor) where the service has them.
    """

    caller: Caller
    method: str
    path: str
    base: str
    query: tuple[tuple[str, str], ...]
    body: Any = None
    version: tuple[int, int] = (2, 1)
    raw: Request = field(repr=False, eq=False)

    def arg(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query argument."""
        return next((value for key, value in reversed(self.query) if key == name), default)

    def args(self, name: str) -> tuple[str, ...]:
        """All values of a query argument."""
        return tuple(value for key, value in self.query if key == name)

    def number(self, name: str, default: int, least: int = 0) -> int:
        """A query argument that is a number; raises ``InvalidValue``."""
        text = self.arg(name)
        return default if text is None else number(name, text, least)


@frozen
class Answer:
    """What an operation returns: a JSON body (None for an empty one), a status and extra headers."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)


Operation = Callable[..., Awaitable[Answer]]


class Service:
    """Base of a service: who finds callers, and how its errors look."""

    app: ClassVar[Klein]
    render: ClassVar[faults.Render] = staticmethod(faults.compute)

    def __init__(self, identity: IIdentity) -> None:
        """``identity`` knows callers by their tokens."""
        self.identity = identity

    def negotiate(self, request: Request) -> tuple[int, int]:
        """The microversion of a request; services without microversions leave it as it is."""
        return (2, 1)

    def version_headers(self, version: tuple[int, int]) -> Mapping[str, str]:
        """Headers that tell the microversion of the answer."""
        return {}


def operation(schema: Mapping[str, Any] | None = None, *, public: bool = False,
              raw_body: bool = False) -> Callable[[Operation], Any]:
    """Decorate a route: ``async def perform(self, call, **path_arguments) -> Answer``.

    ``schema`` is the JSON schema of the body (None: no body is read); ``public`` needs no token, and never looks at
    one that is there; ``raw_body`` leaves the body to the operation, which then ends when the client hangs up. Any
    other operation runs to its end, so that what it commits is also told to those it concerns.
    """
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()) if schema else None

    def decorate(perform: Operation) -> Any:
        @wraps(perform)
        def respond(self: Service, request: Request, **kwargs: str) -> "defer.Deferred[bytes]":
            answer = defer.ensureDeferred(_respond(self, request, perform, validator, public, raw_body, kwargs))
            return answer if raw_body else _shielded(answer)
        respond.schema = schema  # type: ignore[attr-defined]  # tests walk all routes and their bodies
        return respond

    return decorate


def _shielded(answer: "defer.Deferred[bytes]") -> "defer.Deferred[bytes]":
    """The same result, but cancelling this one leaves ``answer`` alone."""
    outer: defer.Deferred[bytes] = defer.Deferred()
    answer.addBoth(outer.callback)
    return outer


async def _respond(service: Service, request: Request, perform: Operation, validator: Any, public: bool,
                   raw_body: bool, kwargs: dict[str, str]) -> bytes:
    request_id = f"req-{uuid.uuid4()}"
    request.setHeader("x-openstack-request-id", request_id)
    version = (2, 1)
    try:
        version = service.negotiate(request)
        caller = NOBODY if public else await _caller(service, request, request_id)
        note(request, project=caller.project_id)
        _refuse_nul(request, kwargs)
        body = _body(request, validator) if validator and not raw_body else None
        call = Call(caller=caller, method=request.method.decode(), path=request.path.decode("utf-8", "replace"),
                    base=base_url(request), query=_query(request), body=body, version=version, raw=request)
        answer = await perform(service, call, **kwargs)
    except Exception as error:
        answer = fault(service, error, request_id)
    return write(request, answer, service.version_headers(version))


def fault(service: Service, error: Exception, request_id: str) -> Answer:
    """Any error as an answer in the service's vocabulary; what is not of our tree is a defect and logged."""
    if not isinstance(error, errors.StackdError):
        log.failure("request {request_id} failed", request_id=request_id)
        error = errors.Internal(f"An unexpected error occurred ({request_id}).")
    status, body = type(service).render(error)
    # Keystone's clients look for the challenge; the others do not mind it.
    headers = {"WWW-Authenticate": "Keystone uri=\"/identity/v3\""} if status == 401 else {}
    return Answer(body, status, headers)


def write(request: Request, answer: Answer, extra: Mapping[str, str]) -> bytes:
    """Set status and headers, return the body for Klein to write."""
    request.setResponseCode(answer.status)
    for name, value in {**extra, **answer.headers}.items():
        request.setHeader(name, value)
    if answer.body is None:
        return b""
    if isinstance(answer.body, bytes):
        return answer.body
    request.setHeader("Content-Type", "application/json")
    return orjson.dumps(answer.body)


def handle_http_errors(app: Klein) -> None:
    """Make a Klein app answer unknown paths and methods in its service's vocabulary; call once per app."""
    app._url_map.strict_slashes = False

    @app.handle_errors(HTTPException)  # type: ignore[arg-type, untyped-decorator]
    def refused(self: Service, request: Request, failure: Any) -> bytes:
        code = failure.value.code
        error: errors.StackdError = errors.MethodNotAllowed("The method is not allowed for this resource.") \
            if code == 405 else errors.NotFound("resource", request.path.decode("utf-8", "replace"))
        return write(request, fault(self, error, ""), {})


def number(name: str, text: str, least: int = 0) -> int:
    """A number that a client wrote in digits, of at most 18; raises ``InvalidValue``."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) >= least):
        raise errors.InvalidValue(name, f"'{text[:64]}' is no number of {least} or more",
                                  remedy="Write it in decimal digits.")
    return int(text)


def base_url(request: Request) -> str:
    """Scheme and host as the client wrote them."""
    host = request.getHeader("host") or "localhost"
    return f"{'https' if request.isSecure() else 'http'}://{host}"


async def _caller(service: Service, request: Request, request_id: str) -> Caller:
    token = request.getHeader("x-auth-token")
    if not token:
        raise errors.NotAuthenticated("The request you have made requires authentication.")
    return await service.identity.caller_of_token(token, request_id)


def _refuse_nul(request: Request, kwargs: Mapping[str, str]) -> None:
    """No name or id has a NUL in it, and not every database keeps one."""
    if any("\0" in value for value in kwargs.values()):
        raise errors.NotFound("resource", request.path.decode("utf-8", "replace"))
    if b"%00" in request.uri.partition(b"?")[2]:
        raise errors.InvalidValue("the query", "it has a NUL character", remedy="Leave it out.")


def _query(request: Request) -> tuple[tuple[str, str], ...]:
    # Not request.args: it loses the order, and names without a value.
    query = request.uri.partition(b"?")[2].decode("ascii", "replace")
    return tuple(parse_qsl(query, keep_blank_values=True, errors="replace"))


def _body(request: Request, validator: Any) -> Any:
    raw = request.content.read(MAX_BODY + 1) if request.content else b""
    if len(raw) > MAX_BODY:
        raise errors.PayloadTooLarge("The request body is larger than 1 MiB.", remedy="Send less.")
    if rb"\u0000" in raw:
        raise errors.Malformed("Malformed request body: it has a NUL character.", remedy="Leave it out.")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise errors.Malformed(f"Malformed request body: {error}") from None
    check_body(validator, body)
    return body


def check_body(validator: Any, body: Any) -> None:
    """Raise ``InvalidValue`` that names the first field that is not as the schema says."""
    try:
        # A body can be wrong in a million places; the first few are looked at.
        problems = list(islice(validator.iter_errors(body), MOST_PROBLEMS))
        problem = min(problems, key=lambda each: list(map(str, each.path)), default=None)
        words = problem.message if problem is not None else ""
    except RecursionError:
        raise errors.Malformed("The request body is nested too deeply.") from None
    if problem is not None:
        raise errors.InvalidValue("/".join(map(str, problem.path))[:200] or "the body", shortened(words))


def shortened(words: str) -> str:
    """Words that quote what was sent, cut in their middle: who sent it knows it, and it may hold a password."""
    return words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS // 2]} ... {words[-MOST_WORDS // 2:]}"
