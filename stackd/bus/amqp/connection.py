"""One connection to one of several brokers, made again whenever it is lost, and the channels that live on it.

A service: nothing is tried before it starts. On each connect every channel declares what it needs again; a broker that
lost everything is as good as one that lost nothing. A channel the broker closes is opened again alone. ``bus.py`` owns
one of each process.
"""

import random
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import cycle
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.logger import Logger
from twisted.python.failure import Failure
from txamqp.client import Closed

from stackd.bus.amqp.delegate import WireDelegate
from stackd.bus.amqp.settings import AmqpSettings, Broker
from stackd.bus.amqp.topology import Declared
from stackd.bus.amqp.wire import WireChannel, WireClient
from stackd.errors import Overloaded
from stackd.interfaces.clock import Clock

_log = Logger()


class _Once(Factory):
    """Gives the one protocol it was made with."""

    noisy = False  # a line in the log for each connection says nothing

    def __init__(self, client: WireClient) -> None:
        self._client = client

    def buildProtocol(self, address: Any) -> WireClient:
        """The one."""
        return self._client


AGREES_WITHIN = 2.0
OPENING = 16
"""Channels opened at once: of thousands a busy broker would forget the first queue before the last is consumed."""


class Backoff:
    """Seconds to wait: doubling, with jitter, so that a thousand daemons do not come back at once."""

    def __init__(self, first: float, most: float, randomness: random.Random) -> None:
        """Begins with about ``first`` and stays below ``most``."""
        self._first, self._most, self._random = first, most, randomness
        self._failures = 0

    def next(self) -> float:
        """After one more failure."""
        seconds: float = min(self._most, self._first * 2 ** min(self._failures, 20))
        self._failures += 1
        return seconds * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It went well."""
        self._failures = 0


class LastingChannel:
    """A channel that comes back; ``channel`` is the present one, None while there is none."""

    def __init__(self, connection: "AmqpConnection", declared: Declared, opened: Callable[[WireChannel], None],
                 lost: Callable[[Closed], None]) -> None:
        """``opened`` is called when all that ``declared`` says stands; ``lost`` when such a channel is gone."""
        self._connection = connection
        self._declared = declared
        self._opened = opened
        self._lost = lost
        self._backoff = connection.backoff()
        self._again: Any = None
        self._ended = False
        self._opening: WireChannel | None = None
        self.channel: WireChannel | None = None
        self.complaint = ""
        """Why it is not open, where that is not for want of a connection."""

    async def open(self, client: WireClient) -> None:
        """Open it on a new connection in its turn; one that fails comes back by itself."""
        await self._connection.turns.acquire()
        try:
            await self._open(client)
        finally:
            self._connection.turns.release()

    async def _open(self, client: WireClient) -> None:
        if self._ended or client.closed or self._opening is not None or self.channel is not None:
            return
        try:
            channel = self._opening = client.new_channel()
        except Overloaded as error:
            self._come_back(error)
            return
        channel.on_close = self._closed
        channel.on_cancel = lambda tag: self._cancelled(channel, tag)
        try:
            await channel.channel_open()
            await self._declared(client.server_properties).declare(channel)
        except Closed:
            return  # _closed was called
        self._opening, self.channel, self.complaint = None, channel, ""
        self._backoff.reset()
        self._opened(channel)

    async def end(self) -> None:
        """Close it for good."""
        self._ended = True
        self._connection.forget(self)
        if self._again is not None and self._again.active():
            self._again.cancel()
        channel, self.channel = self.channel or self._opening, None
        if channel is not None:
            channel.on_close = lambda error: None
            await answered(self._connection.clock, _left(channel))

    def _cancelled(self, channel: WireChannel, tag: str) -> None:
        _log.warn("The queue {queue} was deleted; it is declared again", queue=tag)
        Deferred.fromCoroutine(_left(channel)).addErrback(self._connection.defect)

    def _closed(self, error: Closed) -> None:
        was_open = self.channel is not None
        self.channel = self._opening = None
        client = self._connection.client
        if client is not None and not client.closed:
            self._come_back(error)
        if was_open:
            self._lost(error)

    def _come_back(self, error: Exception) -> None:
        self.complaint = f"The broker refuses a channel: {error}"
        seconds = self._backoff.next()
        _log.error("A channel is not open, and is opened again in {seconds} s: {error}",
                   error=str(error), seconds=round(seconds, 2))
        self._again = self._connection.clock.callLater(seconds, self._open_again)

    def _open_again(self) -> None:
        client = self._connection.client
        if client is not None:
            Deferred.fromCoroutine(self.open(client)).addErrback(self._connection.defect)


async def _left(channel: WireChannel) -> None:
    try:
        await channel.leave()
    except Closed:
        pass  # it was lost meanwhile, which is as good


async def answered(clock: Clock, coroutine: Coroutine[Any, Any, None]) -> None:
    """Wait for what the broker must agree to, but not for long: while it is short of memory it reads nothing."""
    try:
        await Deferred.fromCoroutine(coroutine).addTimeout(AGREES_WITHIN, clock)  # type: ignore[arg-type]
    except TimeoutError:
        _log.warn("The broker did not answer within {seconds} s; what it has of us it will miss by itself",
                  seconds=AGREES_WITHIN)


class AmqpConnection(Service):
    """Keeps one connection."""

    def __init__(self, reactor: Any, brokers: tuple[Broker, ...], settings: AmqpSettings, randomness: random.Random,
                 client_name: str, flow: Callable[[], None]) -> None:
        """``flow`` is called when the broker begins or ceases to take messages."""
        self.clock = reactor
        self.traffic: Counter[tuple[str, str]] = Counter()
        """Messages by direction, ``sent`` or ``received``, and kind."""
        self.client: WireClient | None = None
        self.turns = DeferredSemaphore(OPENING)
        self._brokers = cycle(brokers)
        self._settings = settings
        self._random = randomness
        self._client_name = client_name
        self._flow = flow
        settings.trusted()  # what is wrong with it is told at the start
        self._channels: list[LastingChannel] = []
        self._life: Deferred[None] | None = None
        self._waiting: Deferred[Any] | None = None

    @property
    def takes(self) -> bool:
        """Whether the broker takes messages now."""
        client = self.client
        return client is not None and not (client.closed or client.blocked or client.congested)

    def complaint(self) -> str:
        """Why it does not do all that it should; empty while it does."""
        if not self.takes:
            return "No broker is reached, or it takes no messages."
        return next((each.complaint for each in self._channels if each.complaint), "")

    def backoff(self) -> Backoff:
        """A new one."""
        return Backoff(self._settings.backoff_first, self._settings.backoff_most, self._random)

    def keep(self, declared: Declared, opened: Callable[[WireChannel], None],
             lost: Callable[[Closed], None]) -> LastingChannel:
        """A channel on this connection and all that follow it."""
        made = LastingChannel(self, declared, opened, lost)
        self._channels.append(made)
        if self.client is not None:
            Deferred.fromCoroutine(made.open(self.client)).addErrback(self.defect)
        return made

    def forget(self, channel: LastingChannel) -> None:
        """It does not come back; called by the channel."""
        if channel in self._channels:
            self._channels.remove(channel)

    def startService(self) -> None:
        """Connect, and keep connected."""
        super().startService()  # type: ignore[no-untyped-call]
        self._life = Deferred.fromCoroutine(self._live())

    def stopService(self) -> "Deferred[None]":
        """Close the connection."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self.client is not None:
            await self.client.leave()
        elif self._waiting is not None:
            self._waiting.cancel()
        if self._life is not None:
            await self._life

    async def tried(self, broker: Broker) -> str:
        """What one broker says of itself; raises what keeps us from it. Not while the service runs."""
        client = await self._connected(broker)
        about = client.server_properties
        await client.leave()
        return f"{about.get('product', 'a broker')} {about.get('version', '')}".strip()

    async def _live(self) -> None:
        backoff = self.backoff()
        for broker in self._brokers:
            if not self.running:
                return
            try:
                client = await self._connected(broker)
            except Exception as error:
                _log.warn("The broker {host}:{port} cannot be used: {error}", host=broker.host, port=broker.port,
                          error=str(error) or repr(error))
            else:
                backoff.reset()
                await self._used(client, broker)
            if self.running:
                await self._pause(backoff.next())

    async def _connected(self, broker: Broker) -> WireClient:
        client = WireClient(WireDelegate(self._client_name), broker.vhost, self._settings.heartbeat, self.clock)
        client.largest = self._settings.largest
        within = self._settings.connect_within
        self._waiting = self._endpoint(broker).connect(_Once(client)).addTimeout(within, self.clock)
        await self._waiting
        self._waiting = Deferred.fromCoroutine(client.authenticate(broker.user, broker.password))
        try:
            await self._waiting.addTimeout(within, self.clock)
        except BaseException:
            client.transport.abortConnection()
            raise
        finally:
            self._waiting = None
        return client

    def _endpoint(self, broker: Broker) -> Any:
        endpoint = HostnameEndpoint(self.clock, broker.host, broker.port, timeout=self._settings.connect_within)
        if not broker.tls:
            return endpoint
        # Read anew: the authority may have changed.
        certificates = [Certificate.loadPEM(text) for text in self._settings.trusted()]  # type: ignore[arg-type]
        roots = trustRootFromCertificates(certificates) if certificates else None  # type: ignore[no-untyped-call]
        return wrapClientTLS(optionsForClientTLS(broker.host, trustRoot=roots), endpoint)

    async def _used(self, client: WireClient, broker: Broker) -> None:
        _log.info("Connected to the broker {host}:{port}", host=broker.host, port=broker.port)
        self.client = client
        client.on_flow = self._flow
        for channel in list(self._channels):
            Deferred.fromCoroutine(channel.open(client)).addErrback(self.defect)
        await client.disconnected.wait()
        self.client = None
        if self.running:
            _log.warn("The connection to the broker {host}:{port} is lost", host=broker.host, port=broker.port)

    def defect(self, failure: Failure) -> None:
        """Say that a channel is lost for good, which nobody waits for."""
        _log.failure("A channel could not be opened", failure=failure)

    async def _pause(self, seconds: float) -> None:
        self._waiting = Deferred()
        later = self.clock.callLater(seconds, self._waiting.callback, None)
        try:
            await self._waiting
        except CancelledError:
            later.cancel()
        finally:
            self._waiting = None
