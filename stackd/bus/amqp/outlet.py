"""What wants to be published waits here, in order and bounded, while the broker is away or takes nothing."""

from collections import OrderedDict
from collections.abc import Callable

from twisted.logger import Logger
from txamqp.client import Closed

from stackd import errors
from stackd.bus.amqp.connection import AmqpConnection, LastingChannel
from stackd.bus.amqp.topology import Declared
from stackd.bus.amqp.wire import WireChannel

_log = Logger()

Publish = Callable[[WireChannel], None]


class Outlet:
    """One lasting channel that publishes."""

    def __init__(self, connection: AmqpConnection, declared: Declared, opened: Callable[[WireChannel], None],
                 lost: Callable[[Closed], None], most: int) -> None:
        """``opened`` prepares a new channel; ``lost`` is called when one is gone; ``most`` may wait."""
        self._connection = connection
        self._prepare = opened
        self._most = most
        self._waiting: OrderedDict[object, Publish] = OrderedDict()
        self._lasting: LastingChannel = connection.keep(declared, self._opened, lost)

    def send(self, key: object, publish: Publish) -> None:
        """Call ``publish`` with the channel, now or when there is one; raises ``Overloaded`` when too many wait.

        Until then ``key`` can be given to :meth:`forget`.
        """
        channel = self._usable()
        if channel is not None and not self._waiting:
            publish(channel)
        elif len(self._waiting) >= self._most:
            raise errors.Overloaded("The broker does not take messages now, and too many wait for it.")
        else:
            self._waiting[key] = publish

    def forget(self, key: object) -> None:
        """Nobody needs this any more; nothing happens when it was published already."""
        self._waiting.pop(key, None)

    def flow(self) -> None:
        """Send what waits, as far as the broker takes it; called whenever that may have changed."""
        while self._waiting and (channel := self._usable()) is not None:
            _, publish = self._waiting.popitem(last=False)
            try:
                publish(channel)
            except Closed:
                return
            except Exception:
                _log.failure("A message that waited for the broker could not be sent")

    def _usable(self) -> WireChannel | None:
        channel = self._lasting.channel
        return channel if channel is not None and self._connection.takes and not channel.closed else None

    def _opened(self, channel: WireChannel) -> None:
        self._prepare(channel)
        self.flow()
