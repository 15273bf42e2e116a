"""Where transaction functions run: in threads for daemons, inline for tests on a Clock."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet import defer, threads
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Executor(Protocol):
    """Runs a blocking function and gives a Deferred of its result."""

    def run(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> "defer.Deferred[T]":
        """Run ``fn(*args, **kwargs)``."""

    def stop(self) -> None:
        """Wait for what runs and let the threads go."""


class InlineExecutor:
    """Runs at once in the calling thread: deterministic, for tests on a Clock."""

    def run(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> "defer.Deferred[T]":
        """Run now."""
        return defer.maybeDeferred(fn, *args, **kwargs)

    def stop(self) -> None:
        """Nothing runs."""


class ThreadExecutor:
    """A pool of ``threads`` threads; one thread keeps the functions in order."""

    def __init__(self, reactor: Any, threads: int, name: str) -> None:
        """``reactor`` provides ``IReactorFromThreads``; the pool starts with the first function."""
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=min(1, threads), maxthreads=threads, name=name)
        self._started = False

    def run(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> "defer.Deferred[T]":
        """Run in one of the threads."""
        if not self._started:
            self._started = True
            self._pool.start()
        return threads.deferToThreadPool(self._reactor, self._pool, fn, *args, **kwargs)

    def stop(self) -> None:
        """Wait for the running functions and end the threads."""
        if self._started:
            self._started = False
            self._pool.stop()
