"""Wakes on their way out: equal ones collapse, and between two rounds there is a pause.

The first leaves on the next turn; a storm becomes one round each ``wake_pause`` seconds, and one round while the broker
is away.
"""

import orjson
from twisted.logger import Logger
from txamqp.client import Closed

from stackd import errors
from stackd.bus.amqp import envelope
from stackd.bus.amqp.calling import Calling
from stackd.bus.amqp.settings import AmqpSettings
from stackd.bus.amqp.wire import WireChannel
from stackd.interfaces.bus import Body
from stackd.interfaces.clock import Clock

_log = Logger()


class Waking:
    """Collects wakes and sends them."""

    def __init__(self, calling: Calling, settings: AmqpSettings, clock: Clock) -> None:
        """``calling`` has the channel."""
        self._calling = calling
        self._settings = settings
        self._clock = clock
        self._wakes: dict[tuple[str, bytes], Body] = {}
        self._under_way = False
        self._not_before = 0.0

    def add(self, address: str, body: Body) -> None:
        """Send it soon; when too many wait already it is dropped."""
        if len(self._wakes) < self._settings.most_waiting:
            self._wakes[address, orjson.dumps(body)] = body
            if not self._under_way:
                self._under_way = True
                # Not longer than the pause, though the clock was set back meanwhile.
                pause = min(self._not_before - self._clock.seconds(), self._settings.wake_pause)
                self._clock.callLater(max(0.0, pause), self._round)

    def _round(self) -> None:
        try:
            self._calling.outlet.send(self, self._send)
        except (errors.Overloaded, Closed) as error:
            _log.warn("{count} wakes are dropped: {error}", count=len(self._wakes), error=str(error))
            self._wakes.clear()
            self._under_way = False

    def _send(self, channel: WireChannel) -> None:
        self._under_way = False
        self._not_before = self._clock.seconds() + self._settings.wake_pause
        wakes, self._wakes = self._wakes, {}
        for (address, _), body in wakes.items():
            self._calling.wake(channel, address, envelope.content(envelope.Wake(body=body), "wake",
                                                                  self._settings.largest))
