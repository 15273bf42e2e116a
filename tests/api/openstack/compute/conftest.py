"""A cloud in memory and its compute API, asked over an HTTP client that needs no network."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from attrs import evolve, field, frozen
from treq.testing import StubTreq
from twisted.web.resource import Resource
from zope.interface import implementer

from stackd import errors
from stackd.api.openstack.compute.microversions import HIGHEST, text_of
from stackd.api.openstack.compute.service import ComputeService
from stackd.interfaces.identity import IIdentity
from stackd.model.callers import Caller
from stackd.model.ids import dashed, new_id
from stackd.testing.cloud import MemoryCloud

BASE = "http://cloud.example:8774"
LATEST = text_of(HIGHEST)


@implementer(IIdentity)
class TokensAreNames:
    """Knows callers by tokens that are their names."""

    def __init__(self, callers: dict[str, Caller]) -> None:
        """Token -> caller."""
        self.callers = callers

    async def caller_of_token(self, token: str, request_id: str) -> Caller:
        """The caller of that name."""
        if token not in self.callers:
            raise errors.NotAuthenticated("The token is not valid.")
        return evolve(self.callers[token], request_id=request_id)

    async def access_key(self, access: str) -> Any:
        """None are known."""
        raise errors.UnknownAccessKey("There are no access keys here.")

    async def caller_of_key(self, key: Any, request_id: str) -> Any:
        """None are known."""
        raise errors.NotAuthenticated("There are no access keys here.")


@frozen
class Answered:
    """A status, the body parsed, and headers."""

    status: int
    body: Any
    headers: Any = field(repr=False)

    @property
    def message(self) -> str:
        """The words of a fault."""
        (fault,) = self.body.values()
        assert fault["code"] == self.status
        text: str = fault["message"]
        return text


class Nova:
    """The API and the cloud behind it. Callers are ``member``, ``reader``, ``admin`` and ``stranger``."""

    def __init__(self) -> None:
        """Everything runs on the cloud's clock."""
        self.cloud = MemoryCloud().start()
        other = self.cloud.run(self.cloud.core.identity.projects.create(self.cloud.admin, "other"))
        self.callers = {"member": self.cloud.caller, "admin": self.cloud.admin,
                        "reader": evolve(self.cloud.caller, roles=frozenset({"reader"})),
                        "stranger": evolve(self.cloud.stranger(other), user_id=new_id())}
        self.site = Resource()  # type: ignore[no-untyped-call]
        self.site.putChild(b"compute", ComputeService(TokensAreNames(self.callers), self.cloud.core).resource())

    def ask(self, method: str, path: str, body: Any = None, who: str = "member", version: str | None = LATEST,
            **headers: str) -> Answered:
        """One request below ``/compute/v2.1``."""
        return self.raw(method, f"/compute/v2.1{path}", body, who, version, **headers)

    def raw(self, method: str, path: str, body: Any = None, who: str = "", version: str | None = None,
            **headers: str) -> Answered:
        """One request anywhere."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who:
            sent["X-Auth-Token"] = who
        if version:
            sent["OpenStack-API-Version"] = f"compute {version}"
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        stub: Any = StubTreq(self.site)  # type: ignore[no-untyped-call]
        outcome: list[Any] = []

        async def request() -> Answered:
            answer = await stub.request(method, BASE + path, headers=sent, data=content)
            text = await answer.content()
            return Answered(answer.code, orjson.loads(text) if text else None, answer.headers)

        def answered() -> bool:
            stub.flush()
            return bool(outcome)

        self.cloud.ask(request(), outcome)
        self.cloud.until(answered)
        if hasattr(outcome[0], "raiseException"):
            outcome[0].raiseException()
        result: Answered = outcome[0]
        return result

    def create(self, who: str = "member", version: str = LATEST, **body: Any) -> Any:
        """The answer to a creation that must go well."""
        answer = self.ask("POST", "/servers", {"server": self.wanted(**body)}, who, version)
        assert answer.status == 202, answer
        return answer.body["server"]

    def wanted(self, **body: Any) -> dict[str, Any]:
        """The body of a creation."""
        return {"name": "web", "imageRef": self.image, "flavorRef": "t2.nano", "networks": "auto", **body}

    def running(self, who: str = "member", **body: Any) -> str:
        """The id of a new server, which is up."""
        id: str = self.create(who, **body)["id"]
        self.settle(id, "ACTIVE")
        return id

    def settle(self, id: str, status: str) -> None:
        """Let time pass until the server has the status."""
        self.cloud.until(lambda: self.show(id, "admin")["status"] == status)

    def show(self, id: str, who: str = "member", version: str = LATEST) -> Any:
        """A server."""
        answer = self.ask("GET", f"/servers/{id}", None, who, version)
        assert answer.status == 200, answer
        return answer.body["server"]

    def act(self, id: str, name: str, body: Any = None, who: str = "member", version: str = LATEST) -> Answered:
        """One action."""
        return self.ask("POST", f"/servers/{id}/action", {name: body}, who, version)

    def names(self, query: str = "", who: str = "member", version: str = LATEST) -> list[str]:
        """The names of the servers a query finds."""
        answer = self.ask("GET", f"/servers/detail?{query}", None, who, version)
        assert answer.status == 200, answer
        return [server["name"] for server in answer.body["servers"]]

    @property
    def image(self) -> str:
        """The id of the image in the catalogue."""
        return dashed(self.cloud.image.id)


@pytest.fixture
def nova() -> Iterator[Nova]:
    """A cloud of two hosts with a compute API."""
    yield Nova()
