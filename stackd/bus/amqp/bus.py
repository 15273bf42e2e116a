"""The message bus of a cloud of many processes, over AMQP; ``bus/memory.py`` is its little sister.

``configured.py`` makes it from the configuration. It is a service: whoever makes it starts it, and stops it after
everything that uses it. Until a broker is reached, messages wait, bounded.
"""

import random
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from txamqp.client import Closed
from zope.interface import implementer

from stackd import errors
from stackd.bus.amqp import envelope
from stackd.bus.amqp.calling import Calling
from stackd.bus.amqp.connection import AmqpConnection
from stackd.bus.amqp.deadletters import DeadLetter, DeadLetters
from stackd.bus.amqp.reporting import Reporting
from stackd.bus.amqp.serving import Admit, AmqpSubscription
from stackd.bus.amqp.settings import AmqpSettings, Broker
from stackd.bus.amqp.topology import Names
from stackd.bus.amqp.waking import Waking
from stackd.interfaces.bus import Body, IEndpoint, IMessageBus
from stackd.interfaces.measuring import IMeasured
from stackd.model.figures import Figure

_log = Logger()

LOCAL = "amqp://guest:guest@127.0.0.1:5672/"
PERSISTENT = 2


def admit_all(user: str, address: str, word: str, body: Body) -> None:
    """Everybody may say everything: for a broker that only daemons of the control plane can reach."""


@implementer(IMessageBus, IMeasured)
class AmqpBus(Service):
    """One process' connection to the cloud's brokers."""

    def __init__(self, reactor: Any, urls: Iterable[str] = (LOCAL,), settings: AmqpSettings | None = None,
                 randomness: random.Random | None = None, admit: Admit = admit_all) -> None:
        """``urls`` are of brokers of one cluster, tried in turn; raises ``BadConfiguration``.

        ``admit`` is asked before a report or call reaches an endpoint served here.
        """
        brokers = tuple(map(Broker.parse, urls))
        if not brokers:
            raise errors.BadConfiguration("The bus has no broker.", remedy="Name at least one URL.")
        self._settings = settings or AmqpSettings()
        self._brokers = brokers
        self._clock = reactor
        self._admit = admit
        self._names = Names(self._settings)
        client_name = f"{sys.argv[0].rpartition('/')[2]} on {socket.gethostname()}"

        def connection(flow: Callable[[], None]) -> AmqpConnection:
            return AmqpConnection(reactor, brokers, self._settings, randomness or random.SystemRandom(), client_name,
                                  flow)

        self._connection = connection(self._flow)
        self._reporting = Reporting(self._connection, self._names, reactor)
        self._calling = Calling(self._connection, self._names, reactor, lambda: connection(lambda: None))
        self._waking = Waking(self._calling, self._settings, reactor)

    # --- the service ---

    def startService(self) -> None:
        """Connect, and keep connected."""
        super().startService()  # type: ignore[no-untyped-call]
        self._connection.startService()

    def stopService(self) -> "Deferred[None]":
        """Close the connection; who still waits for an answer is told that the outcome is unknown."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._connection.stopService()
        self._reporting.stop()
        self._calling.stop()

    def _flow(self) -> None:
        self._reporting.outlet.flow()
        self._calling.outlet.flow()

    @property
    def connected(self) -> bool:
        """Whether a broker is reached and takes messages."""
        return self._connection.takes

    def complaint(self) -> str:
        """Why it does not do all that it should; empty while it does."""
        return self._connection.complaint()

    # --- the bus ---

    def wake(self, address: str, body: Body) -> None:
        """Send a wake soon; equal ones collapse."""
        try:
            self._names.check(address)
        except errors.InvalidValue as error:
            _log.warn("A wake is dropped: {error}", error=str(error))
        else:
            self._waking.add(address, body)

    async def report(self, address: str, body: Body) -> None:
        """Returns when the broker keeps it."""
        self._names.check(address)
        content = envelope.content(envelope.Report(body=body), "report", self._settings.largest,
                                   delivery_mode=PERSISTENT)
        try:
            await self._reporting.send(address, content)
        except Closed as error:
            raise errors.OutcomeUnknown(f"The connection was lost while {address} was told.") from error

    async def call(self, address: str, method: str, body: Body, timeout: float = 30.0) -> Any:
        """Ask one of the endpoints at the address."""
        self._names.check(address)
        try:
            return await self._calling.ask(address, method, body, timeout)
        except Closed as error:
            raise errors.OutcomeUnknown(f"The connection was lost during a call to {address}.") from error

    async def serve(self, address: str, endpoint: IEndpoint) -> AmqpSubscription:
        """Take messages for the address; returns when a broker is reached and sends them."""
        self._names.check(address)
        subscription = AmqpSubscription(self._connection, self._calling, self._names, self._clock, address, endpoint,
                                        self._admit)
        await subscription.begun()
        return subscription

    # --- for the operator ---

    def figures(self) -> list[Figure]:
        """Whether a broker is reached, and what went over it."""
        return [
            Figure(name="bus_connected", words="Whether a broker is reached and takes messages.",
                   value=float(self.connected)),
            Figure(name="bus_reports_unconfirmed", words="Reports that no broker has confirmed yet.",
                   value=self._reporting.unconfirmed),
            *(Figure(name="bus_messages", words="Messages by direction and kind.", value=count, total=True,
                     labels={"direction": direction, "kind": kind})
              for (direction, kind), count in self._connection.traffic.items())]

    async def set_aside(self, most: int = 100) -> list[DeadLetter]:
        """The oldest reports that could not be applied; they stay where they are. Raises ``Unavailable`` leaves."""
        return await self.dead_letters().oldest(most)

    def dead_letters(self) -> DeadLetters:
        """What was set aside, to be dealt with; raises ``OutcomeUnknown`` while no broker is reached."""
        client = self._connection.client
        if client is None:
            raise errors.OutcomeUnknown("No broker is reached.")
        return DeadLetters(client, self._names)

    async def probe(self) -> list[tuple[Broker, str, bool]]:
        """Each broker we know of, with what it is or why it cannot be used, and whether it can; before the start."""
        found = []
        for broker in self._brokers:
            try:
                found.append((broker, await self._connection.tried(broker), True))
            except Exception as error:  # whatever TCP, TLS and the broker have to say
                found.append((broker, str(error) or type(error).__name__, False))
        return found
