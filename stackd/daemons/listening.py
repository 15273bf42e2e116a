"""Listening services that say in words which port is taken, and can be stopped when they never listened."""

from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Service
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError

from stackd.errors import BadConfiguration


class Listener(StreamServerEndpointService):
    """Serves a site on one TCP port."""

    _raiseSynchronously = True  # a port in use is an error at start, not a line in the log

    def __init__(self, reactor: Any, interface: str, port: int, site: Any) -> None:
        """Nothing is opened before the service starts."""
        super().__init__(TCP4ServerEndpoint(reactor, port, backlog=512, interface=interface), site)
        self._place = f"{interface}:{port}"

    def privilegedStartService(self) -> None:
        """Listen; raises ``BadConfiguration`` where that cannot be."""
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            raise BadConfiguration(f"Nobody can listen on {self._place}: {error.socketError}.",
                                   remedy="Stop what listens there, or choose other ports with --port-base.") from error

    def stopService(self) -> Any:
        """Listen no more, if it ever did."""
        if self._waitingForPort is None:
            return Service.stopService(self)  # type: ignore[no-untyped-call]
        return super().stopService()
