"""The web layer: what any OpenStack client meets before an operation is reached, and how errors look."""

from typing import Any, ClassVar

import orjson
import pytest
from klein import Klein
from pytest_twisted import ensureDeferred
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site
from zope.interface import implementer

from stackd import errors
from stackd.api.openstack import faults
from stackd.api.openstack.http import MAX_BODY, Answer, Call, Service, handle_http_errors, operation
from stackd.api.openstack.network import faults as network_faults
from stackd.interfaces.identity import IIdentity
from stackd.model.callers import Caller
from stackd.model.identities import AccessKey

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
          "additionalProperties": False}


@implementer(IIdentity)
class OneUser:
    """Knows one token."""

    async def caller_of_token(self, token: str, request_id: str) -> Caller:
        """Ann, for ``good``."""
        if token != "good":
            raise errors.NotAuthenticated("The request you have made requires authentication.")
        return Caller(user_id="u", user_name="ann", project_id="p", project_name="p", roles=frozenset(),
                      request_id=request_id)

    async def access_key(self, access: str) -> AccessKey:
        """None."""
        raise errors.UnknownAccessKey("No such key.")

    async def caller_of_key(self, key: AccessKey, request_id: str) -> Caller:
        """None."""
        raise errors.NotAuthenticated("No.")


class Things(Service):
    """A service of things."""

    app: ClassVar[Klein] = Klein()
    handle_http_errors(app)

    def __init__(self) -> None:
        """With a gate that stands closed."""
        super().__init__(OneUser())
        self.gate: Deferred[None] = Deferred()
        self.passed: list[str] = []

    @app.route("/things", methods=["GET"])
    @operation()
    async def show(self, call: Call) -> Answer:
        """What was asked."""
        return Answer({"user": call.caller.user_name, "last": call.arg("a"), "all": call.args("a"),
                       "request": call.caller.request_id, "flag": call.arg("flag"), "base": call.base})

    @app.route("/things", methods=["POST"])
    @operation(SCHEMA)
    async def create(self, call: Call) -> Answer:
        """The name again."""
        return Answer(call.body, 201)

    @app.route("/broken", methods=["GET"])
    @operation(public=True)
    async def fail(self, call: Call) -> Answer:
        """A defect."""
        raise RuntimeError("the password is swordfish")

    @app.route("/slow", methods=["GET"])
    @operation(public=True)
    async def wait(self, call: Call) -> Answer:
        """Through the gate, then notes it."""
        await self.gate
        self.passed.append("through")
        return Answer({})


class Asked:
    """An answer read."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        """With the body parsed where it is JSON."""
        self.status = status
        self.headers = headers
        self.body = orjson.loads(body) if body else None


async def ask(method: str, path: str, token: str | None = "good", **options: Any) -> Asked:
    """Send one request."""
    stub = StubTreq(Things().app.resource())
    headers = {"X-Auth-Token": token} if token else {}
    answer = await stub.request(method, f"http://cloud.example:8774{path}", headers=headers, **options)
    return Asked(answer.code, answer.headers, await answer.content())


@ensureDeferred
async def test_an_operation_sees_who_asks_and_what() -> None:
    answer = await ask("GET", "/things?a=1&b=2&a=%C3%BC&flag")
    assert answer.status == 200
    assert answer.body | {"request": ""} == {
        "user": "ann", "last": "ü", "all": ["1", "ü"], "flag": "", "request": "", "base": "http://cloud.example:8774"}
    assert answer.headers.getRawHeaders("x-openstack-request-id") == [answer.body["request"]]
    assert answer.headers.getRawHeaders("content-type") == ["application/json"]


@ensureDeferred
@pytest.mark.parametrize("token", [None, "bad"])
async def test_without_a_good_token_the_client_is_told_to_authenticate(token: str | None) -> None:
    answer = await ask("GET", "/things", token)
    assert answer.status == 401 and answer.body["unauthorized"]["code"] == 401
    assert answer.headers.hasHeader("www-authenticate")


@ensureDeferred
@pytest.mark.parametrize(("content", "status", "words"), [
    (b"", 400, "Malformed"), (b"{", 400, "Malformed"), (b"\xff", 400, "Malformed"), (b"[]", 400, "the body"),
    (b"{}", 400, "name"), (b'{"name": 1}', 400, "name"), (b'{"name": "a", "x": 1}', 400, "'x' was unexpected"),
    (b'"' + b"x" * MAX_BODY + b'"', 413, "1 MiB"), (b"[" * 5000, 400, "Malformed")])
async def test_a_body_that_cannot_be_used_is_said_to_be_so(content: bytes, status: int, words: str) -> None:
    answer = await ask("POST", "/things", data=content)
    assert answer.status == status
    (fault,) = answer.body.values()
    assert words in fault["message"]


@ensureDeferred
async def test_a_good_body_arrives_as_it_is() -> None:
    answer = await ask("POST", "/things", data='{"name": "ü"}'.encode())
    assert (answer.status, answer.body) == (201, {"name": "ü"})


@ensureDeferred
@pytest.mark.parametrize(("method", "path", "status", "name"), [
    ("GET", "/nothing", 404, "itemNotFound"), ("GET", "/", 404, "itemNotFound"),
    ("DELETE", "/things", 405, "badMethod")])
async def test_unknown_paths_and_methods_speak_the_services_language(
        method: str, path: str, status: int, name: str) -> None:
    answer = await ask(method, path)
    assert (answer.status, list(answer.body)) == (status, [name])


@ensureDeferred
async def test_a_slash_at_the_end_makes_no_difference() -> None:
    assert (await ask("GET", "/things/")).status == 200


@ensureDeferred
async def test_a_defect_shows_the_request_id_and_nothing_else(lost_failures: list[Any]) -> None:
    answer = await ask("GET", "/broken")
    request_id = answer.headers.getRawHeaders("x-openstack-request-id")[0]
    assert answer.status == 500 and request_id in answer.body["computeFault"]["message"]
    assert "swordfish" not in str(answer.body)
    assert len(lost_failures) == 1
    lost_failures.clear()


def test_an_operation_runs_to_its_end_when_the_client_hangs_up() -> None:
    things = Things()
    protocol = Site(things.app.resource(), reactor=Clock()).buildProtocol(None)
    protocol.makeConnection(StringTransport())
    protocol.dataReceived(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    protocol.connectionLost(Failure(ConnectionLost()))
    assert things.passed == []
    things.gate.callback(None)
    assert things.passed == ["through"]


def _leaves(cls: type[errors.StackdError]) -> list[type[errors.StackdError]]:
    return [leaf for sub in cls.__subclasses__() for leaf in [sub, *_leaves(sub)]]


@pytest.mark.parametrize("error", _leaves(errors.StackdError), ids=lambda cls: cls.__name__)
def test_every_error_has_a_status_of_its_own_choosing(error: type[errors.StackdError]) -> None:
    status, _ = faults.TABLE[error]
    assert 400 <= status < 600


GONE = f"Floating ip x could not be found. {errors.NotFound.remedy}"


@pytest.mark.parametrize(("render", "body"), [
    (faults.compute, {"itemNotFound": {"code": 404, "message": GONE}}),
    (faults.identity, {"error": {"code": 404, "message": GONE, "title": "Not Found"}}),
    (faults.image, {"code": 404, "title": "Not Found", "message": GONE}),
    (network_faults.render, {"NeutronError": {
        "type": "FloatingIPNotFound", "message": GONE, "detail": ""}})])
def test_each_service_words_an_error_its_own_way(render: faults.Render, body: dict[str, Any]) -> None:
    assert render(errors.NotFound("floating_ip", "x")) == (404, body)


def test_over_quota_is_a_conflict_for_the_network_api_alone() -> None:
    over = errors.QuotaExceeded("ports", 1, 1, 1)
    assert faults.compute(over)[0] == 403
    status, body = network_faults.render(over)
    assert (status, body["NeutronError"]["type"]) == (409, "OverQuota")
