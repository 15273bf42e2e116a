"""Sockets follow the networks of the host: opened, closed, and opened anew in a namespace that was made anew."""

import socket

import pytest_twisted
from treq import content, get
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.web.http import Request
from twisted.web.resource import Resource

from stackd.workers.metadata.listeners import MetadataListeners


class Named(Resource):
    """Tells its name."""

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def render_GET(self, request: Request) -> bytes:
        """The name."""
        return self.name.encode()


class World:
    """Networks with namespaces, here all of them the loopback."""

    def __init__(self) -> None:
        self.wired: dict[str, object | None] = {}
        self.ports: dict[str, int] = {}
        self.full = False

    async def networks(self) -> list[str]:
        """The ids wired now."""
        return list(self.wired)

    def open_socket(self, id: str) -> socket.socket:
        """A socket on a free port."""
        if self.full:
            raise OSError("no sockets left")
        made = socket.create_server(("127.0.0.1", 0))
        made.setblocking(False)
        self.ports[id] = made.getsockname()[1]
        return made

    def resource(self, id: str) -> Resource:
        """Tells its network."""
        return Named(id)

    def listeners(self, clock: Clock) -> MetadataListeners:
        """Over this world."""
        return MetadataListeners(reactor=reactor, clock=clock, networks=self.networks,
                                 identity=lambda id: self.wired.get(id), open_socket=self.open_socket,
                                 resource=self.resource, period=2.0)


async def heard(port: int) -> str:
    """What is served at a port."""
    return (await content(await get(f"http://127.0.0.1:{port}/", persistent=False))).decode()


@pytest_twisted.ensureDeferred
async def test_sockets_follow_networks() -> None:
    """Each network is served by its own resource, a vanished one no more."""
    world = World()
    world.wired = {"a": 1, "b": 1}
    listeners = world.listeners(Clock())
    await listeners.look()
    assert [await heard(world.ports[id]) for id in "ab"] == ["a", "b"]
    del world.wired["a"]
    await listeners.look()
    assert listeners.serving() == {"b"}
    await listeners.stopService()
    assert listeners.serving() == frozenset()


@pytest_twisted.ensureDeferred
async def test_namespace_made_anew() -> None:
    """A namespace of the same name that is another one gets a socket of its own."""
    world = World()
    world.wired = {"a": 1}
    listeners = world.listeners(Clock())
    await listeners.look()
    before = world.ports["a"]
    await listeners.look()
    assert world.ports["a"] == before
    world.wired["a"] = 2
    await listeners.look()
    assert world.ports["a"] != before and await heard(world.ports["a"]) == "a"
    await listeners.stopService()


@pytest_twisted.ensureDeferred
async def test_looks_again_until_it_can() -> None:
    """A namespace that is not there yet, or full, is tried again at the next look."""
    clock, world = Clock(), World()
    world.wired = {"a": None}
    listeners = world.listeners(clock)
    listeners.startService()
    assert listeners.serving() == frozenset()
    world.wired["a"], world.full = 1, True
    clock.advance(2)
    assert listeners.serving() == frozenset()
    world.full = False
    clock.advance(2)
    assert listeners.serving() == {"a"}
    await listeners.stopService()
    assert not clock.getDelayedCalls()
