"""The metadata service of a host as its daemon puts it together: who asks is found through the network worker."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest_twisted
from treq import content, get
from twisted.internet import reactor
from zope.interface import implementer
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.daemons.metadata import host_service
from stackd.interfaces.network import IRouters
from stackd.model.assignments import InstanceAssignment
from stackd.testing.contracts.network import network_of
from stackd.testing.records import an_assignment, an_instance


@implementer(IRouters)
class LoopbackRouters:
    """One network, whose router is the loopback."""

    def __init__(self, network_id: str) -> None:
        self.id = network_id
        self.port = 0

    async def networks(self) -> tuple[str, ...]:
        """The one."""
        return (self.id,)

    def router_identity(self, network_id: str) -> int:
        """Always the same."""
        return 1

    def metadata_socket(self, network_id: str) -> socket.socket:
        """A socket on a free port."""
        made = socket.create_server(("127.0.0.1", 0))
        made.setblocking(False)
        self.port = made.getsockname()[1]
        return made


class Worker:
    """What the network worker of a host answers about one guest at 127.0.0.1, and the cloud about its user data."""

    host = "host-1"

    def __init__(self, network_id: str, assignment: InstanceAssignment) -> None:
        self.guest: InstanceAssignment | None = assignment
        self.where = network_id, "127.0.0.1"
        self.heard = True

    def guest_at(self, network_id: str, address: str) -> InstanceAssignment | None:
        """The guest."""
        if not self.heard:
            raise errors.Unavailable("Nothing was heard yet.", remedy="Wait.")
        return self.guest if (network_id, address) == self.where else None

    async def user_data(self, host: str, instance_id: str) -> bytes:
        """What the cloud keeps for it."""
        return f"#!{host} {instance_id[:2]}".encode()


@pytest_twisted.ensureDeferred
async def test_who_asks() -> None:
    """A guest is known by its network and address, its user data comes from the cloud; others hear what is wrong."""
    network = network_of()
    worker: Any = Worker(network.id, an_assignment(an_instance(has_user_data=True)))
    routers = LoopbackRouters(network.id)
    assert verifyObject(IRouters, routers)
    parts: Any = SimpleNamespace(reactor=reactor, metadata_secret=b"s",
                                 config=SimpleNamespace(cloud=SimpleNamespace(region="moon")))
    service = host_service(parts, routers, worker, worker)
    await service.look()
    try:
        assert await heard(routers.port, "meta-data/instance-id") == (200, "i-ddddddddddddddddd")
        assert await heard(routers.port, "meta-data/placement/region") == (200, "moon")
        assert await heard(routers.port, "user-data") == (200, "#!host-1 dd")
        worker.guest = None
        assert (await heard(routers.port, "meta-data/instance-id"))[0] == 404
        worker.heard = False
        assert (await heard(routers.port, "meta-data/instance-id"))[0] == 503
    finally:
        await service.stopService()


async def heard(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    answer = await get(f"http://127.0.0.1:{port}/latest/{path}", persistent=False)
    return answer.code, (await content(answer)).decode()
