"""A bus whose messages are lost, doubled and late as a disturbance wants it: between a life and a real broker.

The memory bus disturbs its own messages; this does the same to those of any other bus, where they leave.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from stackd import errors
from stackd.bus.disturbance import Disturbance, Passage
from stackd.interfaces.bus import Body, IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.clock import Clock


@implementer(IMessageBus)
class DisturbedBus:
    """Passes on to another bus what the disturbance lets through."""

    def __init__(self, bus: IMessageBus, clock: Clock, disturbance: Disturbance) -> None:
        """``clock`` says when late copies leave."""
        self._bus = bus
        self._clock = clock
        self._disturbance = disturbance

    def wake(self, address: str, body: Body) -> None:
        """Each copy when it is due."""
        for delay in self._disturbance.copies(Passage.WAKE, address):
            self._clock.callLater(delay, self._bus.wake, address, body)

    async def report(self, address: str, body: Body) -> None:
        """Returns when the first copy was taken; a lost one is of unknown outcome."""
        delays = sorted(self._disturbance.copies(Passage.REPORT, address))
        if not delays:
            raise errors.OutcomeUnknown(f"The connection was lost while {address} was told.")
        for delay in delays[1:]:
            self._clock.callLater(delay, self._unheard, lambda: self._bus.report(address, body))
        await self._pause(delays[0])
        await self._bus.report(address, body)

    async def call(self, address: str, method: str, body: Body, timeout: float = 30.0) -> Any:
        """The answer to the first copy."""
        deadline = self._clock.seconds() + timeout
        delays = sorted(self._disturbance.copies(Passage.CALL, address))
        for delay in delays[1:]:
            self._clock.callLater(delay, self._unheard, lambda: self._bus.call(address, method, body, timeout))
        await self._within(delays, deadline, address, method)
        try:
            return await self._bus.call(address, method, body, deadline - self._clock.seconds())
        finally:
            await self._within(sorted(self._disturbance.copies(Passage.REPLY, address)), deadline, address, method)

    async def serve(self, address: str, endpoint: IEndpoint) -> ISubscription:
        """Nothing goes astray here that was not disturbed on its way."""
        return await self._bus.serve(address, endpoint)

    async def _within(self, delays: list[float], deadline: float, address: str, method: str) -> None:
        """Wait for the first copy, or until it is too late."""
        left = deadline - self._clock.seconds()
        if delays and delays[0] < left:
            await self._pause(delays[0])
            return
        await self._pause(max(0.0, left))
        raise errors.CallTimedOut(f"{address} did not answer {method} in time.")

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await deferLater(self._clock, seconds)  # type: ignore[arg-type]

    def _unheard(self, send: Callable[[], Awaitable[Any]]) -> None:
        """Nobody hears how a copy fares."""
        Deferred.fromCoroutine(_sent(send))


async def _sent(send: Callable[[], Awaitable[Any]]) -> None:
    try:
        await send()
    except errors.StackdError:
        return
