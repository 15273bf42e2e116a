"""The catalogue passes the suite of all providers of images."""

from typing import Any

import pytest

from stackd.model.images import Image, NewImage, Visibility
from stackd.testing.contracts.images import ImagesContract, Publish
from stackd.testing.contracts.imagestore import blocks_of
from stackd.testing.images import ImageCloud, caller, image_cloud

ADMIN = caller("root", "ops", "admin")


class TestCatalogue(ImagesContract):
    @pytest.fixture
    def cloud(self) -> ImageCloud:
        return image_cloud()

    @pytest.fixture
    def images(self, cloud: ImageCloud) -> Any:
        return cloud.catalogue

    @pytest.fixture
    def owner(self) -> Any:
        return caller("alice", "red")

    @pytest.fixture
    def stranger(self) -> Any:
        return caller("bob", "blue")

    @pytest.fixture
    def publish(self, cloud: ImageCloud, owner: Any) -> Publish:
        async def publish(name: str, visibility: Visibility, content: bytes) -> Image:
            cloud.clock.advance(1)
            image = await cloud.registry.create(ADMIN, NewImage(
                name=name, visibility=visibility, owner=owner.project_id, disk_format="raw", container_format="bare"))
            return await cloud.content.upload(ADMIN, image.id, blocks_of(content))
        return publish
