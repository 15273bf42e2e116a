"""The driver ``http`` passes the suite of all providers of images, over our own service and over a foreign one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from stackd.drivers.images.http import HttpImages
from stackd.model.images import Image, Visibility
from stackd.testing.contracts.images import ImagesContract, Publish
from stackd.testing.imageapi import ImageApi, image_api
from stackd.testing.images import caller

ALICE = caller("alice", "red")
BOB = caller("bob", "blue")
ROOT = caller("root", "ops", "admin")
awaiting = pytest_twisted.ensureDeferred


@pytest_twisted.async_yield_fixture(params=["ours", "foreign"])
async def api(request: Any) -> AsyncIterator[ImageApi]:
    """An image service with our filters, and one without."""
    serving = await image_api(reactor, foreign=request.param == "foreign")
    yield serving
    await serving.stop()


@pytest_twisted.async_yield_fixture
async def images(api: ImageApi) -> AsyncIterator[Any]:
    """Its client."""
    client = HttpImages(reactor, api.section)
    yield client
    await client.close()


class TestHttpImages(ImagesContract):
    @pytest.fixture
    def owner(self) -> Any:
        return ALICE

    @pytest.fixture
    def stranger(self) -> Any:
        return BOB

    @pytest.fixture
    def publish(self, api: ImageApi, owner: Any) -> Publish:
        async def publish(name: str, visibility: Visibility, content: bytes) -> Image:
            return await api.publish(name, visibility, content, owner.project_id)
        return publish
