"""What a connection does when the broker speaks unasked; ``wire.py`` hands every such message here."""

from math import ceil
from typing import Any

from twisted.logger import Logger
from txamqp.client import Closed, TwistedDelegate
from txamqp.message import Message
from txamqp.spec import pythonize

_log = Logger()

CAPABILITIES = {"publisher_confirms": True, "consumer_cancel_notify": True, "basic.nack": True,
                "exchange_exchange_bindings": True, "connection.blocked": True, "authentication_failure_close": True}


def _least(ours: float, theirs: int) -> float:
    """The smaller limit, where 0 is none."""
    return min(ours, theirs) if ours and theirs else ours or theirs


class WireDelegate(TwistedDelegate):  # type: ignore[misc]
    """Named by class and method, as txamqp's dispatch finds them."""

    def __init__(self, name: str) -> None:
        """``name`` is shown to the broker's operator."""
        super().__init__()
        self._name = name

    def dispatch(self, channel: Any, message: Message) -> None:
        """Call the method for the message; one there is none for is left alone."""
        method = message.method
        respond = getattr(self, f"{pythonize(method.klass.name)}_{pythonize(method.name)}", None)
        if respond is None:
            _log.warn("The broker said {method}, which nobody expects", method=str(method))
        else:
            respond(channel, message)

    # --- opening ---

    def connection_start(self, channel: Any, message: Message) -> None:
        """Log in, saying what we understand."""
        self.client.server_properties = message.server_properties
        about = {"product": "stackd", "connection_name": self._name, "capabilities": CAPABILITIES}
        channel.connection_start_ok(about, self.client.mechanism, self.client.response, self.client.locale)

    def connection_tune(self, channel: Any, message: Message) -> None:
        """Agree on limits."""
        client = self.client
        client.MAX_LENGTH = int(_least(client.MAX_LENGTH, message.frame_max))
        client.channel_max = int(_least(client.channel_max, message.channel_max))
        # Who wants none gets none, whatever the broker would like.
        client.heartbeatInterval = client.heartbeatInterval and _least(client.heartbeatInterval, message.heartbeat)
        channel.connection_tune_ok(client.channel_max, client.MAX_LENGTH, ceil(client.heartbeatInterval))
        client.begin_beating()
        client.started.fire()

    # --- messages ---

    def basic_deliver(self, channel: Any, message: Message) -> None:
        """To whoever took the consumer tag."""
        received = channel.consumers.get(message.consumer_tag)
        if received is not None:
            received(channel, message)

    def basic_return_(self, channel: Any, message: Message) -> None:
        """A mandatory message that nobody is there for."""
        channel.on_return(message)

    def basic_ack(self, channel: Any, message: Message) -> None:
        """The broker has taken what we published."""
        channel.on_confirm(message.delivery_tag, message.multiple, True)

    def basic_nack(self, channel: Any, message: Message) -> None:
        """The broker could not take what we published."""
        channel.on_confirm(message.delivery_tag, message.multiple, False)

    def basic_cancel(self, channel: Any, message: Message) -> None:
        """A queue we consume from is gone."""
        channel.consumers.pop(message.consumer_tag, None)
        channel.on_cancel(message.consumer_tag)

    # --- flow and ends ---

    def connection_blocked(self, channel: Any, message: Message) -> None:
        """It lacks memory or disk."""
        _log.warn("The broker takes no more messages: {reason}", reason=message.reason)
        self.client.set_blocked(True)

    def connection_unblocked(self, channel: Any, message: Message) -> None:
        """It has room again."""
        _log.info("The broker takes messages again")
        self.client.set_blocked(False)

    def channel_close(self, channel: Any, message: Message) -> None:
        """The broker closes one channel; the others go on."""
        channel.channel_close_ok()
        channel.do_close(message)

    def connection_close(self, channel: Any, message: Message) -> None:
        """The broker closes the connection."""
        channel.connection_close_ok()
        self.client.do_close(message)

    def close(self, reason: Closed) -> None:
        """The connection is closed, by whomever."""
        self.client.started.fail_if_not_fired(reason)
        self.client.transport.loseConnection()
