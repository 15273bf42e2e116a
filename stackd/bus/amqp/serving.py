"""An endpoint at an address: one channel, with a consumer each for wakes, reports and calls.

A report is acknowledged when the endpoint took it. While the endpoint says ``Unavailable`` the report is held and
tried again, and the broker sends no more than fit; what fails otherwise is set aside after some tries. When the process
dies the broker gives what it held to others. A call is begun once at most.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from txamqp.client import Closed
from txamqp.message import Message
from zope.interface import implementer

from stackd import errors
from stackd.bus.amqp import envelope
from stackd.bus.amqp.calling import Calling
from stackd.bus.amqp.connection import AmqpConnection, answered
from stackd.bus.amqp.topology import Consumer, Names, Queue, Topology
from stackd.bus.amqp.wire import WireChannel
from stackd.interfaces.bus import Body, IEndpoint, ISubscription
from stackd.interfaces.clock import Clock
from stackd.rules.admitting import host_of_user

_log = Logger()
Admit = Callable[[str, str, str, Body], None]
"""(user, address, ``report``, ``wake`` or the method of a call, body): raises ``NotAllowed`` for what this user of the
broker may not say. The broker vouches for the user; it is empty where the sender gave none."""
T = TypeVar("T")
LOGGED = 80
"""Letters of the name of a call that reach a log."""
LONGEST_LINE = 500
"""Letters of why something was refused, which may repeat what the sender wrote."""
_LOOK_AGAIN = envelope.dump(envelope.Wake())
SENDER = "stackd-sender"
"""The header with the users who sent before what the operator sends again, a line each; all must be admitted."""


@implementer(ISubscription)
class AmqpSubscription:
    """One endpoint at one address."""

    def __init__(self, connection: AmqpConnection, calling: Calling, names: Names, clock: Clock, address: str,
                 endpoint: IEndpoint, admit: Admit) -> None:
        """Serves from when the broker has taken the consumers; :meth:`begun` waits for that."""
        self._names = names
        self._settings = names.settings
        self._calling = calling
        self._clock = clock
        self._address = address
        self._endpoint = endpoint
        self._admit = admit
        self._refusals = Refusals(clock)
        self._running = 0
        self._idle: Deferred[None] | None = None
        self._stopped = False
        self._pauses: dict[Deferred[None], Any] = {}
        self._traffic = connection.traffic
        self._wakes: dict[bytes, list[tuple[WireChannel, int]]] = {}
        self._opened: Deferred[None] = Deferred()
        self._lasting = connection.keep(self._topology, self._begin, self._lost)

    async def begun(self) -> None:
        """Returns when messages come in for the first time."""
        await self._opened

    async def stop(self) -> None:
        """Take no more messages and wait for the running ones; what is held for another try goes to others."""
        self._stopped = True
        channel = self._lasting.channel
        if channel is not None:
            await answered(self._clock, self._cancel(channel))
            channel.consumers.clear()  # also where the broker did not agree
        for pause, later in list(self._pauses.items()):
            later.cancel()
            pause.callback(None)
        if self._running:
            self._idle = self._idle or Deferred()
            await self._idle
        await self._lasting.end()
        if not self._opened.called:
            self._opened.callback(None)

    async def _cancel(self, channel: WireChannel) -> None:
        try:
            for tag in list(channel.consumers):
                await channel.basic_cancel(consumer_tag=tag)
        except Closed:
            pass

    # --- the channel ---

    def _topology(self, server: dict[str, Any]) -> Topology:
        if self._stopped:
            return Topology()
        names, settings = self._names, self._settings
        queues: list[Queue] = [names.wakes_queue(self._address)]
        consumers = [Consumer(queue=queues[0].name, received=self._woken, prefetch=settings.most_wakes)]
        if self._endpoint.calls:
            queues.append(names.calls_queue(self._address))
            consumers.append(Consumer(queue=queues[1].name, received=self._called, prefetch=settings.calls_at_once))
        if names.keeps_reports(self._address):
            queues += [names.dead_queue(), names.reports_queue(self._address, server)]
            consumers.append(
                Consumer(queue=queues[-1].name, received=self._reported, prefetch=settings.reports_at_once))
        return Topology(exchanges=names.exchanges(), queues=tuple(queues), consumers=tuple(consumers))

    def _begin(self, channel: WireChannel) -> None:
        if not self._opened.called:
            self._opened.callback(None)
        elif not self._stopped:
            self._wake_endpoint(_LOOK_AGAIN)  # it may have missed some

    def _lost(self, error: Closed) -> None:
        """What it held comes again, here or elsewhere."""
        self._wakes.clear()

    def _acknowledge(self, channel: WireChannel, message: Message) -> None:
        if not channel.closed:
            channel.basic_ack(delivery_tag=message.delivery_tag)

    def _begun(self) -> None:
        self._running += 1

    def _finished(self) -> None:
        self._running -= 1
        if self._idle is not None and not self._running:
            self._idle.callback(None)
            self._idle = None

    # --- wakes ---

    def _woken(self, channel: WireChannel, message: Message) -> None:
        self._traffic["received", "wake"] += 1
        try:
            self._admitted(message, "wake", {})
        except errors.NotAllowed as error:
            self._refusals.tell(error)
            self._acknowledge(channel, message)
            return
        if not self._wakes:
            self._clock.callLater(0, self._wake)
        self._wakes.setdefault(message.content.body, []).append((channel, message.delivery_tag))

    def _wake(self) -> None:
        """Equal ones that came together are one; while we pause, the broker collapses what comes."""
        wakes, self._wakes = self._wakes, {}
        for raw, tags in wakes.items():
            self._wake_endpoint(raw)
            self._clock.callLater(self._settings.wake_pause, self._acknowledge_wakes, tags)

    def _wake_endpoint(self, raw: bytes) -> None:
        try:
            self._endpoint.woken(envelope.load(envelope.Wake, raw).body)
        except Exception:
            _log.failure("A wake to {address} failed", address=self._address)

    def _acknowledge_wakes(self, tags: list[tuple[WireChannel, int]]) -> None:
        for channel, tag in tags:
            if not channel.closed:
                channel.basic_ack(delivery_tag=tag)

    # --- reports ---

    def _reported(self, channel: WireChannel, message: Message) -> None:
        self._traffic["received", "report"] += 1
        Deferred.fromCoroutine(self._take_report(channel, message))

    async def _take_report(self, channel: WireChannel, message: Message) -> None:
        self._begun()
        try:
            report = self._read(envelope.Report, message)
            self._admitted(message, "report", report.body)
            if await self._applied(channel, report):
                self._acknowledge(channel, message)
        except (errors.NotAllowed, errors.Malformed, errors.NotSupported, errors.PayloadTooLarge) as error:
            self._refusals.tell(error)
            self._set_aside(channel, message)
        except Exception:
            _log.failure("A report to {address} is set aside", address=self._address)
            self._set_aside(channel, message)
        finally:
            self._finished()

    def _set_aside(self, channel: WireChannel, message: Message) -> None:
        if not channel.closed:
            channel.basic_reject(delivery_tag=message.delivery_tag, requeue=False)

    async def _applied(self, channel: WireChannel, report: envelope.Report) -> bool:
        """True when the endpoint took it, False when it is not ours any more; raises when it cannot be applied."""
        tries = waits = 0
        while not channel.closed:
            try:
                await self._endpoint.reported(report.body)
                return True
            except errors.Malformed:
                raise  # it will not get better
            except errors.Unavailable as error:
                reason: Exception = error
            except Exception as error:
                reason, tries = error, tries + 1
                if tries >= self._settings.tries:
                    raise
            if self._stopped:
                break
            _log.warn("A report to {address} is tried again: {error}", address=self._address, error=repr(reason))
            await self._pause(min(self._settings.redeliver_most, self._settings.redeliver_first * 2 ** min(waits, 20)))
            waits += 1
            if self._stopped:
                break
        return False

    async def _pause(self, seconds: float) -> None:
        pause: Deferred[None] = Deferred()
        self._pauses[pause] = self._clock.callLater(seconds, pause.callback, None)
        try:
            await pause
        finally:
            self._pauses.pop(pause, None)

    # --- calls ---

    def _called(self, channel: WireChannel, message: Message) -> None:
        self._traffic["received", "call"] += 1
        Deferred.fromCoroutine(self._take_call(channel, message))

    async def _take_call(self, channel: WireChannel, message: Message) -> None:
        self._begun()
        try:
            reply = await self._reply_to(message)
            self._acknowledge(channel, message)
            properties = message.content.properties
            to = properties.get("reply-to", "")
            if to:
                self._calling.reply(properties.get("user-id", ""), to, properties.get("correlation-id", ""), reply)
        except (errors.NotAllowed, errors.Malformed) as error:
            # Nobody makes us write into a queue that they may not write to.
            self._refusals.tell(error)
        finally:
            self._finished()

    async def _reply_to(self, message: Message) -> bytes:
        method = "?"
        try:
            call = self._read(envelope.Call, message)
            method = call.method[:LOGGED]
            self._admitted(message, call.method, call.body)
            return envelope.dump(envelope.Reply(ok=await self._answer(call, message.redelivered)))
        except (errors.NotAllowed, errors.Malformed, errors.PayloadTooLarge) as error:
            self._refusals.tell(error)
            return envelope.dump_failure(error)
        except errors.StackdError as error:
            return envelope.dump_failure(error)
        except Exception as error:
            _log.failure("The call {method} at {address} failed", method=method, address=self._address)
            return envelope.dump_failure(error)

    async def _answer(self, call: envelope.Call, redelivered: bool) -> Any:
        name, late = call.method[:LOGGED], self._clock.seconds() - call.deadline
        if late > self._settings.clock_skew:
            raise errors.CallTimedOut(f"{name} reached {self._address} {late:.1f} s after its deadline.",
                                      remedy="When this happens often, set the clocks of the hosts right.")
        if redelivered:
            raise errors.OutcomeUnknown(f"The connection was lost while {self._address} answered {name}.")
        method = self._endpoint.calls.get(call.method)
        if method is None:
            raise errors.NotSupported(f"{self._address} does not know the call {name}.")
        return await method(call.body)

    # --- who may say what ---

    def _read(self, cls: type[T], message: Message) -> T:
        """The message, whose bytes are let go; raises ``PayloadTooLarge`` before a host's are looked at."""
        raw, message.content.body = message.content.body, b""
        most = self._settings.largest_of_hosts
        if len(raw) > most and (
                host := next(filter(None, map(host_of_user, senders(message.content.properties))), "")):
            raise errors.PayloadTooLarge(f"The host {host} sent {len(raw)} bytes to {self._address} at once; the bus "
                                         f"takes {most} of a host.", remedy="Ask for less at once.")
        read: T = envelope.load(cls, raw)
        return read

    def _admitted(self, message: Message, word: str, body: Body) -> None:
        """Raise ``NotAllowed`` for what its sender may not say; the broker lets nobody claim to be another."""
        properties = message.content.properties
        if "x-death" in (properties.get("headers") or {}):
            # Its queue handed it on: whoever declared that queue decided so, not the user it is of.
            raise errors.NotAllowed(f"A message to another queue came to {self._address}.")
        for user in senders(properties):
            self._admit(user, self._address, word, body)


def senders(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """Who sent a message, the last first: the user for whom the broker vouches, and those it names itself.

    A host can name whom it likes, which only adds to those who must be admitted.
    """
    named = str((properties.get("headers") or {}).get(SENDER) or "")
    return tuple(dict.fromkeys([str(properties.get("user-id", "")), *named.splitlines()]))


class Refusals:
    """Says in the log what was refused, at most once a second: whoever floods us must not fill the disk."""

    def __init__(self, clock: Clock) -> None:
        """``clock`` tells the time."""
        self._clock = clock
        self._quiet_until = 0.0
        self._unsaid = 0

    def tell(self, error: errors.StackdError) -> None:
        """Now, or never."""
        now = self._clock.seconds()
        if now < self._quiet_until:
            self._unsaid += 1
            return
        _log.warn("Refused: {error} ({unsaid} more since the last such line)", error=str(error)[:LONGEST_LINE],
                  unsaid=self._unsaid)
        self._quiet_until, self._unsaid = now + 1.0, 0
