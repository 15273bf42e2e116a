"""A listening image API, as a user would reach it: under ``/image`` of a site, by HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
import treq
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.client import Agent
from twisted.web.resource import Resource
from zope.interface import implementer

from stackd import errors
from stackd.api.openstack.image.service import ImageService
from stackd.api.openstack.streaming import StreamSite
from stackd.interfaces.identity import IIdentity
from stackd.model.callers import Caller
from stackd.testing.images import ImageCloud, caller, image_cloud

CALLERS = {each.user_name: each for each in (
    caller("alice", "red"), caller("bob", "blue"), caller("rita", "red", "reader"), caller("root", "ops", "admin"))}


@implementer(IIdentity)
class TokensAreNames:
    """Knows callers by tokens that are their names."""

    async def caller_of_token(self, token: str, request_id: str) -> Caller:
        if token not in CALLERS:
            raise errors.NotAuthenticated("The token is not valid.")
        return CALLERS[token]

    async def access_key(self, access: str) -> Any:
        raise errors.UnknownAccessKey("There are no access keys here.")

    async def caller_of_key(self, key: Any, request_id: str) -> Any:
        raise errors.NotAuthenticated("There are no access keys here.")


@define
class Api:
    """Sends requests; ``cloud`` is what stands behind."""

    cloud: ImageCloud
    port: int
    agent: Any = field(factory=lambda: Agent(reactor))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/image"

    async def ask(self, method: str, path: str, by: str | None = "alice", **options: Any) -> tuple[int, Any, Any]:
        """Status, body (JSON where it is) and headers."""
        headers = options.pop("headers", {})
        if by is not None:
            headers["X-Auth-Token"] = by
        response = await treq.request(method, self.url + path, headers=headers, agent=self.agent, **options)
        content = await response.content()
        kind = response.headers.getRawHeaders("content-type", [""])[0]
        body = await response.json() if kind == "application/json" and content else content
        return response.code, body, response.headers

    async def create(self, by: str = "alice", **body: Any) -> dict[str, Any]:
        status, image, _ = await self.ask("POST", "/v2/images", by, json={
            "name": "x", "disk_format": "raw", "container_format": "bare", **body})
        assert status == 201, image
        return image

    async def upload(self, image: dict[str, Any], content: bytes, by: str = "alice", **headers: str) -> tuple[int, Any]:
        status, body, _ = await self.ask("PUT", image["file"], by, data=content, headers={
            "Content-Type": "application/octet-stream", **headers})
        return status, body

    async def patch(self, image: dict[str, Any], *steps: dict[str, Any], by: str = "alice") -> tuple[int, Any]:
        status, body, _ = await self.ask("PATCH", image["self"], by, data=json.dumps(steps).encode(), headers={
            "Content-Type": "application/openstack-images-v2.1-json-patch"})
        return status, body


@pytest_twisted.async_yield_fixture
async def api() -> AsyncIterator[Api]:
    cloud = image_cloud(max_size=20 << 20)
    service = ImageService(TokensAreNames(), cloud.registry, cloud.sharing, cloud.content)
    root = Resource()
    root.putChild(b"image", service.resource())
    listening = reactor.listenTCP(0, StreamSite(root), interface="127.0.0.1")
    yield Api(cloud, listening.getHost().port)
    await listening.stopListening()


@pytest.fixture
def turn() -> Any:
    """Let the reactor go round until ``condition`` holds."""
    async def until(condition: Any) -> None:
        for _ in range(2000):
            if await condition():
                return
            await deferLater(reactor, 0.005)
        raise AssertionError("it never came true")
    return until
