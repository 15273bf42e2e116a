"""The buses of a cloud on a Clock: one in memory, or with ``STACKD_TEST_BROKER=URL`` connections to a real broker.

On a broker each life of a daemon has a connection of its own, which breaks when the life ends, as that of a process
does. Time stands still while messages are under way: :meth:`BrokeredLines.turn` turns the reactor until all came. What
a Clock cannot move, a broker that comes up or goes away, takes real time.
"""

import os
import secrets
import time
from typing import Any, Protocol

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from zope.interface import directlyProvides, implementer, providedBy

from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.metering import Meter
from stackd.bus.amqp.settings import AmqpSettings
from stackd.bus.amqp.topology import Names
from stackd.bus.disturbance import Disturbance
from stackd.bus.memory import MemoryBus
from stackd.interfaces.bus import Body, IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.clock import Clock
from stackd.testing.disturbed import DisturbedBus
from stackd.testing.saboteur import Life

VARIABLE = "STACKD_TEST_BROKER"
PATIENCE = 1.0
"""Real seconds without anything coming after which what is under way was lost."""
# Nothing pauses in real time: the tests' Clock says when rounds are due.
SETTINGS = AmqpSettings(heartbeat=0.0, quorum=False, wake_pause=0.0, kept=("conductor",))
_last: "list[BrokeredLines]" = []


class Lines(Protocol):
    """The ways to the bus of one cloud."""

    shared: Any
    """The bus as those reach it who never die."""

    def line(self, life: Life) -> Any:
        """The bus as this life reaches it."""

    def turn(self) -> None:
        """Let arrive what is under way."""

    def wipe(self) -> None:
        """As when the broker restarts and loses all its queues."""

    def close(self) -> None:
        """Nothing more is sent."""


class MemoryLines:
    """One bus in memory for everybody: time alone moves its messages."""

    def __init__(self, clock: Clock, disturbance: Disturbance | None) -> None:
        """``disturbance`` decides which messages go astray."""
        self.shared = MemoryBus(clock, disturbance)

    def line(self, life: Life) -> MemoryBus:
        """The one bus."""
        return self.shared

    def turn(self) -> None:
        """Nothing is under way outside of the Clock."""

    def wipe(self) -> None:
        """Everything under way is gone."""
        self.shared.restart()

    def close(self) -> None:
        """There is nothing to leave behind."""


class BrokeredLines:
    """A connection for each life; queues with names of their own, which go when the next cloud is made."""

    def __init__(self, url: str, clock: Clock, disturbance: Disturbance | None) -> None:
        """Connects the shared line."""
        for last in list(_last):
            last.close()
        _last.append(self)
        self._url = url
        self._clock = clock
        self._disturbance = disturbance
        self._settings = evolve(SETTINGS, prefix=f"crash-{secrets.token_hex(4)}")
        self._meter = Meter()
        self._meter.on()
        self._made: list[Line] = []
        self.shared: IMessageBus = self._disturbed(self._connected(clock), clock)
        self.turn()

    def line(self, life: Life) -> IMessageBus:
        """A new connection, which breaks when the life ends."""
        made = self._connected(life.clock())
        life.ends.append(made.crash)
        return self._disturbed(made, life.clock())

    def _connected(self, clock: Clock) -> "Line":
        made = Line(clock, self._url, self._settings, self)
        self._made.append(made)
        return made

    def _disturbed(self, line: "Line", clock: Clock) -> IMessageBus:
        return line if self._disturbance is None else DisturbedBus(line, clock, self._disturbance)

    def turn(self) -> None:
        """Let arrive what is under way; what does not come in ``PATIENCE`` was lost."""
        reactor.iterate(0)  # type: ignore[attr-defined]
        moved, heard = time.monotonic(), self._meter.heard
        while self._meter.busy or any(line.connecting for line in self._made):
            reactor.iterate(0.02)  # type: ignore[attr-defined]
            if self._meter.heard != heard:
                moved, heard = time.monotonic(), self._meter.heard
            elif time.monotonic() - moved > PATIENCE:
                self._meter.give_up()
                return

    def wipe(self) -> None:
        """All queues and exchanges are gone, and with them every connection breaks."""
        self._ask_broker(self._forget_all)
        for line in self._made:
            line.cut()
        self.turn()

    def close(self) -> None:
        """Leave nothing with the broker."""
        for line in self._made[1:]:
            line.crash()
        self._ask_broker(self._forget_all)
        self._made[0].crash()
        self._meter.off()
        self.turn()
        _last.clear()

    def _ask_broker(self, ask: Any) -> None:
        # A broker that is dying, or too busy to be waited for, does not answer.
        Deferred.fromCoroutine(ask()).addErrback(lambda failure: None)
        self.turn()

    async def _forget_all(self) -> None:
        client, names = self._made[0].client, Names(self._settings)
        if client is None:
            return
        channel = client.new_channel()
        await channel.channel_open()
        for queue in (names.dead, *map(names.reports, self._settings.kept)):
            await channel.queue_delete(queue=queue)
        for exchange in (names.exchange, names.dead):
            await channel.exchange_delete(exchange=exchange)
        await channel.leave()


@implementer(IMessageBus)
class Line:
    """One connection; what still wants to be sent when it is broken for good takes the shared one."""

    def __init__(self, clock: Clock, url: str, settings: AmqpSettings, lines: BrokeredLines) -> None:
        """Connects at once."""
        self._reactor = ClockedReactor(clock)
        self._bus = AmqpBus(self._reactor, [url], settings)
        self._lines = lines
        self._ended = False
        self._bus.startService()

    @property
    def client(self) -> Any:
        """The connection to the broker; None while there is none."""
        return self._bus._connection.client

    @property
    def connecting(self) -> bool:
        """Whether it is about to be connected."""
        return not self._ended and self.client is None and self._reactor.trying

    def wake(self, address: str, body: Body) -> None:
        """Send a wake."""
        (self._lines.shared if self._ended else self._bus).wake(address, body)

    async def report(self, address: str, body: Body) -> None:
        """Send a report."""
        await (self._lines.shared if self._ended else self._bus).report(address, body)

    async def call(self, address: str, method: str, body: Body, timeout: float = 30.0) -> Any:
        """Ask."""
        return await (self._lines.shared if self._ended else self._bus).call(address, method, body, timeout)

    async def serve(self, address: str, endpoint: IEndpoint) -> ISubscription:
        """Take messages."""
        return await self._bus.serve(address, endpoint)

    def cut(self) -> None:
        """The connection breaks; it is made again."""
        if self.client is not None:
            self.client.transport.abortConnection()

    def crash(self) -> None:
        """The process is gone: so is its connection, and nothing in it is told."""
        self._ended = True
        connection = self._bus._connection
        connection.running = 0
        if connection.client is None and connection._waiting is not None:
            connection._waiting.cancel()
        self.cut()


class ClockedReactor:
    """The reactor for connections, with a Clock for everything that has to do with time."""

    def __init__(self, clock: Clock) -> None:
        """Whatever is asked to happen later happens by this clock."""
        self.seconds = clock.seconds
        self.callLater = clock.callLater
        self.nameResolver = self
        self._connector: Any = None
        directlyProvides(self, *providedBy(reactor))

    @property
    def trying(self) -> bool:
        """Whether the last connection it was asked for is being made, or stands."""
        return self._connector is not None and self._connector.state != "disconnected"

    def connectTCP(self, *arguments: Any, **named: Any) -> Any:
        """Connect in real time."""
        self._connector = reactor.connectTCP(*arguments, **named)  # type: ignore[attr-defined]
        return self._connector

    def resolveHostName(self, resolutionReceiver: Any, hostName: str, portNumber: int = 0, **_: Any) -> Any:
        """At once: brokers of tests are named by their addresses."""
        resolutionReceiver.resolutionBegan(self)
        resolutionReceiver.addressResolved(IPv4Address("TCP", hostName, portNumber))
        resolutionReceiver.resolutionComplete()
        return self

    def __getattr__(self, name: str) -> Any:
        """The reactor's own."""
        return getattr(reactor, name)


def lines_of(clock: Clock, disturbance: Disturbance | None) -> Lines:
    """The ways to a bus of its own for a cloud, where the environment wants it."""
    url = os.environ.get(VARIABLE, "")
    return BrokeredLines(url, clock, disturbance) if url else MemoryLines(clock, disturbance)
