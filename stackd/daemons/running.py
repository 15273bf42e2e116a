"""One coroutine from begin to end in a process that does nothing else; commands of the operator call it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

T = TypeVar("T")


def run_once(work: Callable[[Any], Awaitable[T]]) -> T:
    """Turn the reactor until ``work(reactor)`` is over; its result, or what it raised. Once a process."""
    from twisted.internet import reactor

    outcome: list[Any] = []

    def begin() -> None:
        begun: Deferred[Any] = ensureDeferred(work(reactor))  # type: ignore[arg-type]
        begun.addBoth(outcome.append).addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]

    reactor.callWhenRunning(begin)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    if not outcome:
        raise KeyboardInterrupt
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    result: T = outcome[0]
    return result
