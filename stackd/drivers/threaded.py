"""Plain blocking classes made awaitable: the provider of an interface is derived from it and a thread pool.

A driver around a blocking library is written and tested as an ordinary class whose methods carry the names and
arguments of the interface. Errors pass through unchanged. Drivers call it in their constructors.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import Interface, implementer
from zope.interface.interfaces import IMethod
from zope.interface.verify import verifyObject


def awaitable(interface: type[Interface], blocking: Any, reactor: Any, pool: ThreadPool) -> Any:
    """A provider of ``interface`` that runs each method of ``blocking`` in a thread of ``pool``.

    The pool must be running and stays the caller's. Raises ``zope.interface.Invalid`` when ``blocking`` lacks a
    method or takes other arguments. A call that was begun always ends: cancelling its Deferred only stops the wait.
    """
    verifyObject(interface, blocking, tentative=True)
    methods = {name: _in_thread(name) for name, part in interface.namesAndDescriptions(all=True)
               if IMethod.providedBy(part)}
    derived = implementer(interface)(type(f"Awaitable{interface.__name__}", (_Threaded,), methods))
    return derived(blocking, reactor, pool)


class _Threaded:
    """Holds what the derived methods need."""

    def __init__(self, blocking: Any, reactor: Any, pool: ThreadPool) -> None:
        self._blocking = blocking
        self._reactor = reactor
        self._pool = pool


def _in_thread(name: str) -> Callable[..., Awaitable[Any]]:
    async def method(self: _Threaded, *args: Any, **kwargs: Any) -> Any:
        call = getattr(self._blocking, name)
        return await deferToThreadPool(self._reactor, self._pool, call, *args, **kwargs)

    method.__name__ = name
    return method
