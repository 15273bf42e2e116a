"""Reports on their way out: each is persistent, and done when the broker confirmed that it keeps it."""

from collections import OrderedDict
from typing import Any

from attrs import mutable
from twisted.internet.defer import Deferred
from txamqp.client import Closed
from txamqp.content import Content
from txamqp.message import Message

from stackd import errors
from stackd.bus.amqp.connection import AmqpConnection
from stackd.bus.amqp.outlet import Outlet
from stackd.bus.amqp.topology import Names, Topology
from stackd.bus.amqp.wire import WireChannel
from stackd.interfaces.clock import Clock


@mutable(eq=False)
class _Sending:
    address: str
    content: Content
    taken: "Deferred[None]"


class Reporting:
    """The channel with publisher confirms."""

    def __init__(self, connection: AmqpConnection, names: Names, clock: Clock) -> None:
        """Declares what is kept whoever serves: exchanges, the dead letters, and the reports of known addresses."""
        self._names = names
        self._clock = clock
        self._settings = names.settings
        self._number = 0
        self._traffic = connection.traffic
        self._sendings: set[_Sending] = set()
        self._unconfirmed: OrderedDict[int, _Sending] = OrderedDict()
        self.outlet = Outlet(connection, self._topology, self._opened, self._lost, self._settings.most_waiting)

    async def send(self, address: str, content: Content) -> None:
        """Returns when the broker keeps it; raises ``OutcomeUnknown``, ``NoSuchTarget``, ``Overloaded``."""
        if len(self._sendings) >= self._settings.most_waiting:
            raise errors.Overloaded("Too many reports wait for the broker to confirm them.")
        sending = _Sending(address, content, Deferred())
        self._sendings.add(sending)
        limit = self._clock.callLater(self._settings.confirm_within, self._give_up, sending)
        try:
            self.outlet.send(sending, lambda channel: self._publish(sending, channel))
            await sending.taken
        finally:
            self._sendings.discard(sending)
            self.outlet.forget(sending)
            if limit.active():
                limit.cancel()

    @property
    def unconfirmed(self) -> int:
        """How many reports no broker has confirmed yet; those that wait for one count as well."""
        return len(self._sendings)

    def stop(self) -> None:
        """Those who still wait are told that nobody knows."""
        for sending in list(self._sendings):
            self._end(sending, errors.OutcomeUnknown(f"The bus was stopped before {sending.address} was told."))

    def _topology(self, server: dict[str, Any]) -> Topology:
        kept = [self._names.reports_queue(address, server) for address in self._settings.kept]
        return Topology(exchanges=self._names.exchanges(), confirms=True,
                        queues=(self._names.dead_queue(), *kept) if kept else ())

    def _opened(self, channel: WireChannel) -> None:
        self._number = 0
        channel.on_confirm = self._confirmed
        channel.on_return = self._returned

    def _publish(self, sending: _Sending, channel: WireChannel) -> None:
        number = self._number + 1
        sending.content.properties |= {"message-id": str(number), "user-id": channel.client.user}
        channel.basic_publish(exchange=self._names.exchange, routing_key=self._names.reports(sending.address),
                              mandatory=True, content=sending.content)
        self._number = number
        self._traffic["sent", "report"] += 1
        self._unconfirmed[number] = sending

    def _confirmed(self, tag: int, multiple: bool, taken: bool) -> None:
        self._settle(tag, taken)
        while multiple and self._unconfirmed and (first := next(iter(self._unconfirmed))) < tag:
            self._settle(first, taken)

    def _settle(self, number: int, taken: bool) -> None:
        sending = self._unconfirmed.pop(number, None)
        if sending is not None and taken:
            self._end(sending, None)
        elif sending is not None:
            self._end(sending, errors.Overloaded(f"The broker keeps no more reports to {sending.address}."))

    def _returned(self, message: Message) -> None:
        sending = self._unconfirmed.pop(int(message.content.properties.get("message-id", 0)), None)
        if sending is not None:
            self._end(sending, errors.NoSuchTarget(f"Nobody keeps reports to {sending.address}."))

    def _lost(self, error: Closed) -> None:
        unconfirmed, self._unconfirmed = self._unconfirmed, OrderedDict()
        for sending in unconfirmed.values():
            self._end(sending, errors.OutcomeUnknown(f"The connection was lost while {sending.address} was told."))

    def _give_up(self, sending: _Sending) -> None:
        self._end(sending, errors.OutcomeUnknown(
            f"No broker confirmed a report to {sending.address} within {self._settings.confirm_within:g} s."))

    def _end(self, sending: _Sending, error: errors.StackdError | None) -> None:
        if sending.taken.called:
            return
        if error is None:
            sending.taken.callback(None)
        else:
            sending.taken.errback(error)
