"""The registry over a real broker is the registry."""

from typing import Any

import pytest
import pytest_twisted

from stackd.imageservice.endpoint import RegistryEndpoint
from stackd.imageservice.remote import REGISTRY, RemoteRegistry, RemoteSharing
from stackd.testing.images import image_cloud
from tests.imageservice.test_remote import Callers, OneToken
from tests.live.rabbitmq_fixtures import Buses, buses, rabbitmq

__all__ = ["buses", "rabbitmq"]


class TestOverAmqp(Callers):
    """``stack-image`` and ``stack-registry``, each with a connection of its own."""

    @pytest_twisted.async_yield_fixture
    async def asking(self, buses: Buses) -> Any:
        """The end of ``stack-image``."""
        cloud = image_cloud()
        await buses.add().serve(REGISTRY, RegistryEndpoint(cloud.registry, cloud.sharing, OneToken()))
        yield buses.add()

    @pytest.fixture
    def registry(self, asking: Any) -> Any:
        return RemoteRegistry(asking)

    @pytest.fixture
    def sharing(self, asking: Any) -> Any:
        return RemoteSharing(asking)
