"""Calls on their way out and their answers, by the broker's direct reply-to; replies and wakes leave here as well.

None of these is kept by the broker: a caller is told at once, or by its deadline.
"""

import secrets
from collections.abc import Callable
from typing import Any

from attrs import mutable
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from txamqp.client import Closed
from txamqp.content import Content
from txamqp.message import Message

from stackd import errors
from stackd.bus.amqp import envelope
from stackd.bus.amqp.answering import Answering
from stackd.bus.amqp.connection import AmqpConnection
from stackd.bus.amqp.outlet import Outlet
from stackd.bus.amqp.topology import REPLIES, Consumer, Names, Topology
from stackd.bus.amqp.wire import WireChannel
from stackd.interfaces.bus import Body
from stackd.interfaces.clock import Clock
from stackd.model import wire

_log = Logger()

WAITS = 0.5
"""Of the time a call has, what it may wait until it is taken. What is taken at the last moment is answered to nobody:
where more is asked than can be answered, all of it would be."""


@mutable(eq=False)
class _Asked:
    address: str
    method: str
    answer: "Deferred[envelope.Reply]"
    sent: bool = False


class Calling:
    """The channel without confirms."""

    def __init__(self, connection: AmqpConnection, names: Names, clock: Clock,
                 another: Callable[[], AmqpConnection]) -> None:
        """Consumes the answers on the same channel, as the broker demands; ``another`` makes one more connection."""
        self._names = names
        self._clock = clock
        self._settings = names.settings
        self._asked: dict[str, _Asked] = {}
        self._traffic = connection.traffic
        topology = Topology(exchanges=names.exchanges(), consumers=(Consumer(queue=REPLIES, received=self._answered),))
        self.outlet = Outlet(connection, lambda server: topology, self._opened, self._lost, self._settings.most_waiting)
        self._answering = Answering(self._send_reply, another, clock)

    # --- calls ---

    async def ask(self, address: str, method: str, body: Body, timeout: float) -> Any:
        """What the other side returned; raises what it raised, or why there is no answer."""
        if len(self._asked) >= self._settings.most_waiting:
            raise errors.Overloaded("Too many calls wait for an answer.")
        # Unguessable: whoever was asked once knows where our answers are sent.
        number = secrets.token_hex(16)
        call = envelope.Call(method=method, deadline=self._clock.seconds() + timeout, body=body)
        content = envelope.content(call, "call", self._settings.largest, correlation_id=number, reply_to=REPLIES)
        asked = self._asked[number] = _Asked(address, method, Deferred())
        limit = self._clock.callLater(timeout, self._time_out, asked, timeout)
        try:
            self.outlet.send(asked, lambda channel: self._publish(asked, content, call.deadline, channel))
            reply = await asked.answer
        finally:
            del self._asked[number]
            self.outlet.forget(asked)
            if limit.active():
                limit.cancel()
        if reply.error is not None:
            raise wire.load_error(reply.error)
        return reply.ok

    def stop(self) -> None:
        """Those who still wait are told that nobody knows."""
        for asked in list(self._asked.values()):
            asked.sent = True
        self._lost(Closed("the bus was stopped"))

    def _publish(self, asked: _Asked, content: Content, deadline: float, channel: WireChannel) -> None:
        asked.sent = True
        self._traffic["sent", "call"] += 1
        # What nobody took by then the broker throws away.
        left = max(1, int((deadline - self._clock.seconds()) * WAITS * 1000))
        content.properties |= {"expiration": str(left), "user-id": channel.client.user}
        channel.basic_publish(exchange=self._names.exchange_to(asked.address),
                              routing_key=self._names.calls(asked.address), mandatory=True, content=content)

    def _opened(self, channel: WireChannel) -> None:
        channel.on_return = self._returned

    def _answered(self, channel: WireChannel, message: Message) -> None:
        self._traffic["received", "reply"] += 1
        asked = self._asked.get(message.content.properties.get("correlation-id", ""))
        if asked is None or asked.answer.called:
            return  # too late
        try:
            asked.answer.callback(envelope.load(envelope.Reply, message.content.body))
        except errors.StackdError as error:
            asked.answer.errback(error)

    def _returned(self, message: Message) -> None:
        asked = self._asked.get(message.content.properties.get("correlation-id", ""))
        if asked is not None:
            self._fail(asked, errors.NoSuchTarget(f"Nobody answers at {asked.address}."))

    def _lost(self, error: Closed) -> None:
        self._answering.forget()
        for asked in list(self._asked.values()):
            if asked.sent:
                self._fail(asked, errors.OutcomeUnknown(f"The connection was lost during a call to {asked.address}."))

    def _time_out(self, asked: _Asked, timeout: float) -> None:
        words = f"{asked.address} did not answer {asked.method} within {timeout:g} s." if asked.sent else (
            f"No broker could be reached within {timeout:g} s to call {asked.method} at {asked.address}.")
        self._fail(asked, errors.CallTimedOut(words))

    def _fail(self, asked: _Asked, error: errors.StackdError) -> None:
        if not asked.answer.called:
            asked.answer.errback(error)

    # --- what expects no answer ---

    def reply(self, user: str, to: str, correlation_id: str, raw: bytes) -> None:
        """Answer what ``user`` asked; nobody hears of it when the caller is gone.

        Raises ``NotAllowed`` for an address that no broker wrote, ``Malformed`` for a number that cannot be sent back.
        """
        try:
            correlation_id.encode()
        except UnicodeEncodeError as error:
            raise errors.Malformed(f"The number of a call cannot be sent back: {error.reason}.") from error
        try:
            content = envelope.content(raw, "reply", self._settings.largest, correlation_id=correlation_id)
        except errors.PayloadTooLarge as error:
            content = envelope.content(envelope.dump_failure(error), "reply", self._settings.largest,
                                       correlation_id=correlation_id)
        self._answering.answer(user, to, content)

    def _send_reply(self, to: str, content: Content) -> None:
        self._traffic["sent", "reply"] += 1
        try:
            self.outlet.send(object(), lambda channel: channel.basic_publish(routing_key=to, content=content))
        except (errors.Overloaded, Closed) as error:
            _log.warn("An answer cannot be sent, its caller will time out: {error}", error=str(error))

    def wake(self, channel: WireChannel, address: str, content: Content) -> None:
        """Publish a wake that goes nowhere when nobody serves."""
        self._traffic["sent", "wake"] += 1
        content.properties["user-id"] = channel.client.user
        channel.basic_publish(exchange=self._names.exchange_to(address), routing_key=self._names.wakes(address),
                              content=content)
