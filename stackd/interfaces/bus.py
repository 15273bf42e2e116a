"""The message bus: wakes, reports and calls; buses are named in the entry point group ``stackd.buses``.

Addresses are ``scheduler``, ``conductor``, ``registry`` (any one of them answers) or ``compute@HOST`` and
``network@HOST``. Bodies are JSON values. Everything is serialised and parsed on every bus, and nothing is delivered
synchronously. ``stackd/testing/contracts/bus.py`` is the suite every bus passes.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from zope.interface import Attribute, Interface

Body = dict[str, Any]

LARGEST = 8 * 1024 * 1024
"""Bytes of one message, unless a bus is set otherwise; who answers with many rows ends a page before."""


class IEndpoint(Interface):
    """What a daemon serves at an address."""

    calls: dict[str, Callable[[Body], Awaitable[Any]]] = Attribute("method name -> coroutine function of the body")

    def woken(body: Body) -> None:
        """A wake arrived: look again. May come twice, late, or never. ``body`` may name what to look at."""

    async def reported(body: Body) -> None:
        """A report arrived; it is acknowledged when this returns, and delivered again when it raises."""


class ISubscription(Interface):
    """A serving endpoint."""

    async def stop() -> None:
        """Take no more messages and wait for the running handlers."""


class IMessageBus(Interface):
    """Losing the bus costs time, never truth."""

    def wake(address: str, body: Body) -> None:
        """Send a droppable "look again"; never raises, never waits. Equal wakes may be collapsed."""

    async def report(address: str, body: Body) -> None:
        """Send a durable message; returns when the bus has taken it. Raises ``Unavailable`` leaves."""

    async def call(address: str, method: str, body: Body, timeout: float = 30.0) -> Any:
        """Ask and wait at most ``timeout`` seconds.

        Errors of ``stackd.errors`` come back typed; others as ``Internal``.
        Raises ``CallTimedOut``, ``NoSuchTarget``, ``OutcomeUnknown``, ``Overloaded``, ``PayloadTooLarge``.
        """

    async def serve(address: str, endpoint: IEndpoint) -> ISubscription:
        """Take messages for the address; several endpoints at one address share them round robin."""
