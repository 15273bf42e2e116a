"""A blocking class becomes awaitable: it runs in another thread, and its errors come through as they were."""

import threading
from collections.abc import Iterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.python.threadpool import ThreadPool
from zope.interface import Interface, Invalid
from zope.interface.verify import verifyObject

from stackd.drivers.threaded import awaitable
from stackd.errors import TransientFailure


class IWork(Interface):
    """Something slow."""

    async def double(number: int) -> int:
        """Twice the number."""

    async def where() -> int:
        """The id of the thread it ran in."""


class Work:
    """The blocking class."""

    def double(self, number: int) -> int:
        """Twice the number; there is none of zero."""
        if not number:
            raise TransientFailure("Zero is busy.")
        return 2 * number

    def where(self) -> int:
        """The id of the thread."""
        return threading.get_ident()


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """A running pool of one thread."""
    pool = ThreadPool(1, 1)
    pool.start()
    yield pool
    pool.stop()


@pytest_twisted.ensureDeferred
async def test_methods_run_in_the_pool_and_return_values(pool: ThreadPool) -> None:
    work = awaitable(IWork, Work(), reactor, pool)
    assert verifyObject(IWork, work)
    assert await work.double(number=21) == 42
    assert await work.where() != threading.get_ident()


@pytest_twisted.ensureDeferred
async def test_errors_pass_through(pool: ThreadPool) -> None:
    with pytest.raises(TransientFailure, match="Zero is busy"):
        await awaitable(IWork, Work(), reactor, pool).double(0)


def test_a_class_that_does_not_fit_is_refused_at_once(pool: ThreadPool) -> None:
    class Half:
        def double(self) -> int:
            return 0

    with pytest.raises(Invalid):
        awaitable(IWork, Half(), reactor, pool)
