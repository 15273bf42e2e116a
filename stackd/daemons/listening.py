"""Listening services: they say in words which port is taken, and end when the requests under way are answered.

A port is bound here, or was bound before by the master of several workers (``prefork``), which hands its number on.
"""

import errno
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from stackd.api.sites import ToldSite
from stackd.errors import BadConfiguration

BACKLOG = 512
LOOK = 0.02
BIND_WITHIN = 5.0

log = Logger()


class Listener(StreamServerEndpointService):
    """Serves a site at one place."""

    _raiseSynchronously = True  # a port in use is an error at start, not a line in the log

    def __init__(self, reactor: Any, endpoint: Any, place: str, site: ToldSite, patience: float = 0.0) -> None:
        """Nothing is opened before the service starts; ``place`` is the endpoint in words.

        When it is stopped the requests under way have ``patience`` seconds to end.
        """
        super().__init__(endpoint, site)
        self._reactor = reactor
        self._place = place
        self._patience = patience

    def privilegedStartService(self) -> None:
        """Listen; raises ``BadConfiguration`` where that cannot be."""
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            raise taken(self._place, error.socketError) from error

    def stopService(self) -> "Deferred[None]":
        """Listen no more, if it ever did; fires when all connections are gone."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._waitingForPort is None:
            Service.stopService(self)  # type: ignore[no-untyped-call]
            return
        await super().stopService()
        deadline = self._reactor.seconds() + self._patience
        while (there := self.factory.close_idle()) and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, LOOK)
        if there:
            log.warn("{count} connections at {place} are cut off, their requests took too long", count=there,
                     place=self._place)
            self.factory.abort()


class Places:
    """Where a process listens: at ports it binds, or at sockets its master has bound."""

    def __init__(self, reactor: Any, interface: str, patience: float, adopted: Mapping[int, int] | None = None) -> None:
        """``adopted`` are numbers of open sockets by their port."""
        self._reactor = reactor
        self._interface = interface
        self._patience = patience
        self._adopted = adopted or {}

    def listener(self, port: int, site: ToldSite) -> Listener:
        """A service that listens there."""
        if port in self._adopted:
            endpoint: Any = AdoptedStreamServerEndpoint(self._reactor, self._adopted[port], socket.AF_INET)
        else:
            endpoint = TCP4ServerEndpoint(self._reactor, port, backlog=BACKLOG, interface=self._interface)
        return Listener(self._reactor, endpoint, f"{self._interface}:{port}", site, self._patience)


def bound(interface: str, port: int, wait: Callable[[float], None] = time.sleep) -> socket.socket:
    """A socket that listens there, for others to adopt; raises ``BadConfiguration``. Blocks for some seconds at most.

    Workers of a master that was killed may still be about to close theirs.
    """
    deadline = time.monotonic() + BIND_WITHIN
    while True:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((interface, port))
            made.listen(BACKLOG)
            return made
        except OSError as error:
            made.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise taken(f"{interface}:{port}", error) from error
        wait(0.1)


def taken(place: str, error: OSError) -> BadConfiguration:
    """In words."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return BadConfiguration(f"Nobody can listen on {place}: {reason}.",
                            remedy="Stop what listens there, or choose other ports with --port-base.")
