"""Exchanges, queues, bindings and consumers as values, declared again on each connect; and how they are named.

One topic exchange carries what hosts may say, with the queue's name as the key, so that a broker can confine a host's
user by topic permissions. The queues of hosts are reached by their names, through the broker's default exchange: they
are most of all queues, and with a binding each would take twice as long to declare. For each address there are up to
three queues, and no message makes one:

``PREFIX.ADDRESS.reports``
    durable, replicated where the broker can; refuses more than it may keep; what cannot be applied goes to
    ``PREFIX.dead``. Only addresses that any of several daemons serves have it.
``PREFIX.ADDRESS.calls``
    there while somebody serves, so that a mandatory message to nobody comes back at once.
``PREFIX.ADDRESS.wakes``
    likewise, and short: the oldest wake makes room for the newest, so however many are sent while a daemon is busy, it
    finds a handful. The newest is always kept: what it is about happened after all that the daemon has looked at.
"""

import re
from collections.abc import Callable
from typing import Any

from attrs import frozen

from stackd import errors
from stackd.bus.amqp.settings import AmqpSettings
from stackd.bus.amqp.wire import Received, WireChannel

LONGEST_NAME = 255
REPLIES = "amq.rabbitmq.reply-to"
"""The broker's own queue for answers; nothing is declared for it."""


@frozen(kw_only=True)
class Exchange:
    """One durable exchange."""

    name: str
    type: str = "topic"


@frozen(kw_only=True)
class Queue:
    """One durable queue, bound to an exchange by a key; without an exchange it is reached by its name alone."""

    name: str
    exchange: str
    key: str
    auto_delete: bool = False
    arguments: dict[str, Any]


@frozen(kw_only=True)
class Consumer:
    """Who takes messages of a queue; without a prefetch they count as taken when they are sent."""

    queue: str
    received: Received
    prefetch: int = 0


@frozen(kw_only=True)
class Topology:
    """What one channel needs."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    confirms: bool = False

    async def declare(self, channel: WireChannel) -> None:
        """Declare all of it, then consume; raises ``Closed`` when the broker has something else by the name."""
        for exchange in self.exchanges:
            await channel.exchange_declare(exchange=exchange.name, type=exchange.type, durable=True)
        for queue in self.queues:
            await channel.queue_declare(queue=queue.name, durable=True, auto_delete=queue.auto_delete,
                                        arguments=queue.arguments)
            if queue.exchange:
                await channel.queue_bind(queue=queue.name, exchange=queue.exchange, routing_key=queue.key)
        if self.confirms:
            await channel.confirm_select()
        for consumer in self.consumers:
            channel.consumers[consumer.queue] = consumer.received
            if consumer.prefetch:
                await channel.basic_qos(prefetch_count=consumer.prefetch)
            await channel.basic_consume(queue=consumer.queue, consumer_tag=consumer.queue, no_ack=not consumer.prefetch)


Declared = Callable[[dict[str, Any]], Topology]
"""Makes a topology, given what the broker says of itself."""


@frozen
class Names:
    """The names, and the queues behind them."""

    settings: AmqpSettings

    @property
    def exchange(self) -> str:
        """What everything is published to."""
        return self.settings.prefix

    def exchange_to(self, address: str) -> str:
        """Where messages to the address are published."""
        return "" if _of_host(address) else self.exchange

    @property
    def dead(self) -> str:
        """Exchange and queue of reports that were set aside."""
        return f"{self.settings.prefix}.dead"

    def reports(self, address: str) -> str:
        """Queue and key of reports to the address."""
        return self._of(address, "reports")

    def calls(self, address: str) -> str:
        """Queue and key of calls to the address."""
        return self._of(address, "calls")

    def wakes(self, address: str) -> str:
        """Queue and key of wakes to the address."""
        return self._of(address, "wakes")

    def _of(self, address: str, kind: str) -> str:
        return f"{self.settings.prefix}.{address}.{kind}"

    def check(self, address: str) -> None:
        """Raise ``InvalidValue`` when queues of the address would have longer names than AMQP allows."""
        if len(self.reports(address).encode()) > LONGEST_NAME:
            raise errors.InvalidValue("address", f"{address[:60]}... is too long", remedy="Use shorter host names.")

    def keeps_reports(self, address: str) -> bool:
        """Whether reports to the address are kept; those of one host are not."""
        return not _of_host(address)

    def exchanges(self) -> tuple[Exchange, ...]:
        """Those this process declares: all, or none."""
        if not self.settings.kept:
            return ()
        return Exchange(name=self.exchange), Exchange(name=self.dead, type="fanout")

    def dead_queue(self) -> Queue:
        """Where reports are set aside."""
        return Queue(name=self.dead, exchange=self.dead, key="", arguments={
            "x-max-length": self.settings.most_dead, "x-max-length-bytes": self.settings.most_dead_bytes})

    def reports_queue(self, address: str, server: dict[str, Any]) -> Queue:
        """The queue of reports to the address."""
        arguments: dict[str, Any] = {
            "x-dead-letter-exchange": self.dead,
            "x-max-length": self.settings.most_kept, "x-max-length-bytes": self.settings.most_kept_bytes,
            "x-overflow": "reject-publish"}
        if offers_quorum(server) if self.settings.quorum is None else self.settings.quorum:
            arguments |= {"x-queue-type": "quorum", "x-delivery-limit": self.settings.delivery_limit}
        name = self.reports(address)
        return Queue(name=name, exchange=self.exchange, key=name, arguments=arguments)

    def calls_queue(self, address: str) -> Queue:
        """The queue of calls to the address."""
        return self._fleeting(address, self.calls(address), {
            "x-max-length": self.settings.most_calls, "x-max-length-bytes": self.settings.most_calls_bytes})

    def wakes_queue(self, address: str) -> Queue:
        """The queue of wakes to the address."""
        return self._fleeting(address, self.wakes(address), {"x-max-length": self.settings.most_wakes})

    def _fleeting(self, address: str, name: str, arguments: dict[str, Any]) -> Queue:
        return Queue(name=name, exchange=self.exchange_to(address), key=name, auto_delete=True,
                     arguments={**arguments, "x-expires": int(self.settings.unserved_for * 1000)})


def _of_host(address: str) -> bool:
    return "@" in address


def offers_quorum(server: dict[str, Any]) -> bool:
    """Whether a broker that says this of itself has replicated queues."""
    version = re.match(r"(\d+)\.(\d+)", str(server.get("version")))
    return server.get("product") == "RabbitMQ" and version is not None and (int(version[1]), int(version[2])) >= (3, 8)
