"""Reports that were set aside: looked at, sent again after their cause was mended, or dropped.

``stackd doctor`` and ``stackd dead-letters`` call it by ``AmqpBus``. What is looked at stays where it is, in its place.
What is sent again keeps the name of who sent it first: an operator lends no authority.
"""

import hashlib
from collections.abc import Callable, Collection
from typing import Any

import orjson
from attrs import frozen
from twisted.internet.defer import Deferred
from txamqp.client import Closed
from txamqp.content import Content
from txamqp.message import Message

from stackd import errors
from stackd.bus.amqp.serving import SENDER, senders
from stackd.bus.amqp.topology import Names, Topology
from stackd.bus.amqp.wire import WireChannel, WireClient
from stackd.interfaces.bus import Body

NOBODY = "nobody"
SHOWN = 1000
"""Bytes of what cannot be read."""


@frozen(kw_only=True)
class DeadLetter:
    """A report that was set aside: for whom, from whom, why, and what is in it."""

    id: str
    address: str
    sender: str
    """Its user at the broker, after those who sent it again and before whom it names itself."""
    reason: str
    """``rejected``: it could not be applied; ``delivery_limit``: daemons died of it."""
    body: Body


class DeadLetters:
    """Those of one cloud, by one connection."""

    def __init__(self, client: WireClient, names: Names) -> None:
        """``client`` is connected."""
        self._client = client
        self._names = names

    async def oldest(self, most: int) -> list[DeadLetter]:
        """So many; they stay where they are."""
        letters: list[DeadLetter] = []
        await self._gone_through(most, lambda channel, message, letter: letters.append(letter))
        return letters

    async def drop(self, ids: Collection[str] | None) -> list[DeadLetter]:
        """Forget these, or all; what was forgotten."""
        dropped: list[DeadLetter] = []

        def drop(channel: WireChannel, message: Message, letter: DeadLetter) -> None:
            if ids is None or letter.id in ids:
                channel.basic_ack(delivery_tag=message.delivery_tag)
                dropped.append(letter)

        await self._gone_through(self._names.settings.most_dead, drop)
        return dropped

    async def requeue(self, ids: Collection[str] | None) -> list[DeadLetter]:
        """Send these again, or all; those that the broker has taken. What no queue of ours set aside stays."""
        chosen: list[tuple[Message, DeadLetter]] = []

        def choose(channel: WireChannel, message: Message, letter: DeadLetter) -> None:
            if (ids is None or letter.id in ids) and letter.address in self._names.settings.kept:
                chosen.append((message, letter))

        async def send(channel: WireChannel) -> None:
            if not chosen:
                return
            taken: dict[int, bool] = {}
            done: Deferred[None] = Deferred()

            def confirmed(tag: int, multiple: bool, well: bool) -> None:
                taken.update(dict.fromkeys(range(1, tag + 1) if multiple else (tag,), well) | taken)
                if len(taken) == len(chosen) and not done.called:
                    done.callback(None)

            channel.on_confirm = confirmed
            channel.on_close = lambda error: None if done.called else done.errback(error)
            await channel.confirm_select()
            for message, letter in chosen:
                channel.basic_publish(exchange=self._names.exchange, routing_key=self._names.reports(letter.address),
                                      content=self._again(message))
            await done
            for number, (message, _) in enumerate(chosen, 1):
                if taken[number]:
                    channel.basic_ack(delivery_tag=message.delivery_tag)
            chosen[:] = [each for number, each in enumerate(chosen, 1) if taken[number]]

        await self._gone_through(self._names.settings.most_dead, choose, send)
        return [letter for _, letter in chosen]

    def _again(self, message: Message) -> Content:
        kept = {name: value for name, value in message.content.properties.items()
                if name in ("content-type", "type", "delivery-mode")}
        # Nobody who did not say who they are becomes somebody by it.
        return Content(message.content.body, properties={
            **kept, "user-id": self._client.user,
            "headers": {SENDER: "\n".join(user or NOBODY for user in senders(message.content.properties))}})

    async def _gone_through(self, most: int, look: Callable[[WireChannel, Message, DeadLetter], Any],
                            finish: Callable[[WireChannel], Any] | None = None) -> None:
        """``look`` at each; what is not acknowledged stays. Raises ``OutcomeUnknown``."""
        try:
            channel = self._client.new_channel()
            await channel.channel_open()
            # Of a broker that no daemon has come to yet.
            await Topology(exchanges=self._names.exchanges(), queues=(self._names.dead_queue(),)).declare(channel)
            for _ in range(most):
                message = await channel.basic_get(queue=self._names.dead)
                if message.method.name == "get-empty":
                    break
                look(channel, message, self._letter(message))
            if finish is not None:
                await finish(channel)
            await channel.leave()
        except Closed as error:
            raise errors.OutcomeUnknown(f"The broker does not show what was set aside: {error}.") from error

    def _letter(self, message: Message) -> DeadLetter:
        raw, properties = message.content.body, message.content.properties
        headers = properties.get("headers") or {}
        # A host may put into the queue what it likes.
        death = next((one for one in _list(headers.get("x-death")) if isinstance(one, dict)), {})
        queue = str(death.get("queue", message.routing_key))
        try:
            body = orjson.loads(raw)["body"]
            if not isinstance(body, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            body = {"unreadable": repr(raw[:SHOWN])}
        return DeadLetter(
            id=hashlib.sha256(raw + str(death.get("time", "")).encode()).hexdigest()[:12],
            address=queue.removeprefix(f"{self._names.settings.prefix}.").removesuffix(".reports"),
            sender=", ".join(user or NOBODY for user in senders(properties)), reason=str(death.get("reason", "")),
            body=body)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
