"""A bootstrapped cloud's identity API, asked over an HTTP client that needs no network."""

from typing import Any

import orjson
from argon2 import PasswordHasher, profiles
from attrs import frozen
from pytest_twisted import async_fixture
from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.web.resource import Resource

from stackd.api.openstack.identity.catalog import Catalog
from stackd.api.openstack.identity.service import IdentityService
from stackd.core.identity import Identity
from stackd.core.identity_tokens import new_key
from stackd.model.identities import Bootstrapped
from stackd.store.database import Database
from stackd.store.executors import InlineExecutor

BASE = "http://cloud.example:5000"


@frozen
class Answered:
    """A status, the headers, and the body parsed."""

    status: int
    headers: Any
    body: Any

    @property
    def token(self) -> str:
        """The token of a login."""
        return str(self.headers.getRawHeaders("x-subject-token")[0])


@frozen
class Keystone:
    """The API, the clock and what bootstrapping made."""

    clock: Clock
    identity: Identity
    made: Bootstrapped
    site: Resource

    async def ask(self, method: str, path: str, token: str = "", body: Any = None,
                  headers: dict[str, str] | None = None) -> Answered:
        """One request below ``/identity``."""
        sent = dict(headers or {}) | ({"X-Auth-Token": token} if token else {})
        answer = await StubTreq(self.site).request(method, f"{BASE}/identity{path}", headers=sent,
                                                   data=None if body is None else orjson.dumps(body))
        content = await answer.content()
        return Answered(answer.code, answer.headers, orjson.loads(content) if content else None)

    async def login(self, name: str, scope: Any = None, password: str = "") -> Answered:
        """Log in by password as clients write it."""
        user = {"name": name, "domain": {"id": "default"}, "password": password or f"{name}-secret"}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if scope is not None:
            auth["scope"] = scope
        return await self.ask("POST", "/v3/auth/tokens", body={"auth": auth})

    async def token(self, name: str) -> str:
        """A token in the user's own project."""
        return (await self.login(name)).token


@async_fixture
async def keystone(database: Database, clock: Clock) -> Keystone:
    """A new cloud."""
    identity = Identity(database, clock, [new_key()], InlineExecutor(),
                        hasher=PasswordHasher.from_parameters(profiles.CHEAPEST))
    made = await identity.bootstrap("admin-secret", "demo-secret")
    site = Resource()
    site.putChild(b"identity", IdentityService(identity, Catalog(BASE, "us-east-1")).resource())
    return Keystone(clock, identity, made, site)
