"""Listening sockets of the metadata service, one in the router namespace of each network of the host.

Networks come and go, and a router namespace may be made anew under its old name; each look closes what is gone and
opens what is new. How a socket gets into a namespace is handed in. The daemon of the network worker calls it.
"""

import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from attrs import frozen
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.web.resource import IResource
from twisted.web.server import Site

log = Logger()
PERIOD = 2.0


@frozen
class _Open:
    port: IListeningPort
    identity: object


class MetadataListeners(Service):
    """Keeps one listener for each network."""

    def __init__(self, *, reactor: Any, clock: IReactorTime, networks: Callable[[], Awaitable[Iterable[str]]],
                 identity: Callable[[str], object | None], open_socket: Callable[[str], socket.socket],
                 resource: Callable[[str], IResource], period: float = PERIOD,
                 site: Callable[[IResource], Site] = Site) -> None:
        """Take what a look needs; the first is made when the service starts, then one every ``period`` seconds.

        ``reactor`` provides ``IReactorSocket``. ``networks`` tells the ids wired now; ``identity(id)`` tells a
        network's namespace from a later one of the same name, None while there is none; ``open_socket(id)`` gives a
        listening socket in it or raises ``OSError``; ``resource(id)`` is what is served there,
        ``site`` what serves it.
        """
        self._reactor = reactor
        self._networks = networks
        self._identity = identity
        self._open_socket = open_socket
        self._resource = resource
        self._period = period
        self._site = site
        self._opened: dict[str, _Open] = {}
        self._turn = defer.DeferredLock()
        self._loop = LoopingCall(lambda: defer.ensureDeferred(self._look_safely()))
        self._loop.clock = clock

    def startService(self) -> None:
        """Look at once, then again and again."""
        super().startService()
        self._loop.start(self._period)

    def stopService(self) -> "defer.Deferred[None]":
        """Close every socket."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return self._turn.run(lambda: defer.ensureDeferred(self._keep(frozenset())))

    async def look(self) -> None:
        """Bring the sockets in line with the networks now; returns when they are."""
        await self._turn.run(lambda: defer.ensureDeferred(self._look()))

    def serving(self) -> frozenset[str]:
        """The networks that have a socket."""
        return frozenset(self._opened)

    async def _look_safely(self) -> None:
        try:
            await self.look()
        except Exception:
            log.failure("the metadata service could not look for networks")

    async def _look(self) -> None:
        wanted = frozenset(await self._networks())
        await self._keep(wanted)
        for id in sorted(wanted - self._opened.keys()):
            self._open(id)

    async def _keep(self, wanted: frozenset[str]) -> None:
        """Close what is not wanted, or is in a namespace that is no longer the one of that name."""
        for id, opened in list(self._opened.items()):
            if id not in wanted or self._identity(id) != opened.identity:
                del self._opened[id]
                await defer.maybeDeferred(opened.port.stopListening)

    def _open(self, id: str) -> None:
        identity = self._identity(id)
        if identity is None:
            return
        try:
            made = self._open_socket(id)
        except OSError as error:
            log.warn("metadata of network {id} cannot be served yet: {error}", id=id, error=str(error))
            return
        try:
            port = self._reactor.adoptStreamPort(made.fileno(), socket.AF_INET, self._site(self._resource(id)))
        finally:
            made.close()
        self._opened[id] = _Open(port, identity)
