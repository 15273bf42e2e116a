"""The contract of every message bus: subclass :class:`BusContract`, give it a bus and a way to wait, run pytest.

Only what any bus can promise is asked for, a broker's as well as the one in memory. Run it as::

    class TestMine(BusContract):
        @pytest.fixture
        def bus(self): ...
        async def settled(self, deferred): ...
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, DeferredQueue, gatherResults
from zope.interface import implementer
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.interfaces.bus import Body, IEndpoint, IMessageBus, ISubscription


@implementer(IEndpoint)
class ListeningEndpoint:
    """Remembers what arrives; ``refuse`` is how many reports it lets fail first."""

    def __init__(self, refuse: int = 0) -> None:
        """Answers ``echo``, ``fail``, ``crash``, ``silence`` and ``number``."""
        self.refuse = refuse
        self.wakes: DeferredQueue[Body] = DeferredQueue()
        self.reports: DeferredQueue[Body] = DeferredQueue()
        self.calls: dict[str, Callable[[Body], Awaitable[Any]]] = {
            "echo": self._echo, "fail": self._fail, "crash": self._crash, "silence": self._silence}
        self.silenced: list[Deferred[None]] = []

    def woken(self, body: Body) -> None:
        """Remember."""
        self.wakes.put(body)

    async def reported(self, body: Body) -> None:
        """Remember, or refuse."""
        if self.refuse:
            self.refuse -= 1
            raise errors.DatabaseUnavailable("Not now.")
        self.reports.put(body)

    async def _echo(self, body: Body) -> Body:
        return body

    async def _fail(self, body: Body) -> None:
        raise errors.InUse("network", "n1", "two ports")

    async def _crash(self, body: Body) -> None:
        raise ZeroDivisionError("the secret is 42")

    async def _silence(self, body: Body) -> str:
        self.silenced.append(Deferred())
        await self.silenced[-1]
        return "late"


class BusContract:
    """What daemons rely on."""

    @pytest.fixture
    def bus(self) -> IMessageBus:
        """A bus nobody serves on."""
        raise NotImplementedError

    async def settled(self, deferred: "Deferred[Any]") -> Any:
        """The result of the Deferred, for which the bus is given the time it needs (some seconds at most)."""
        raise NotImplementedError

    async def run(self, coroutine: Any) -> Any:
        """The result of a coroutine of the bus."""
        return await self.settled(Deferred.fromCoroutine(coroutine))

    def test_provides_the_interface(self, bus: IMessageBus) -> None:
        """All of it."""
        verifyObject(IMessageBus, bus)

    @pytest_twisted.ensureDeferred
    async def test_a_call_is_answered(self, bus: IMessageBus) -> None:
        """With what the endpoint returned."""
        await self.run(bus.serve("conductor", ListeningEndpoint()))
        body = {"text": "Grüße", "list": [1, None, {"a": 2.5}]}
        assert await self.run(bus.call("conductor", "echo", body)) == body

    @pytest_twisted.ensureDeferred
    async def test_nothing_is_shared(self, bus: IMessageBus) -> None:
        """Body and answer are copies, as after any journey."""
        await self.run(bus.serve("conductor", ListeningEndpoint()))
        body: Body = {"inner": (1, 2)}
        assert await self.run(bus.call("conductor", "echo", body)) == {"inner": [1, 2]}

    @pytest_twisted.ensureDeferred
    async def test_errors_come_back_typed(self, bus: IMessageBus) -> None:
        """With their fields."""
        await self.run(bus.serve("conductor", ListeningEndpoint()))
        with pytest.raises(errors.InUse) as caught:
            await self.run(bus.call("conductor", "fail", {}))
        assert (caught.value.id, caught.value.by) == ("n1", "two ports")

    @pytest_twisted.ensureDeferred
    async def test_defects_come_back_as_internal(self, bus: IMessageBus) -> None:
        """Without their words, which may hold secrets."""
        await self.run(bus.serve("conductor", ListeningEndpoint()))
        with pytest.raises(errors.Internal) as caught:
            await self.run(bus.call("conductor", "crash", {}))
        assert "42" not in str(caught.value)

    @pytest_twisted.ensureDeferred
    async def test_an_unknown_call_is_not_supported(self, bus: IMessageBus) -> None:
        """So that neighbours of different releases can tell."""
        await self.run(bus.serve("conductor", ListeningEndpoint()))
        with pytest.raises(errors.NotSupported, match="juggle"):
            await self.run(bus.call("conductor", "juggle", {}))

    @pytest_twisted.ensureDeferred
    async def test_nobody_there(self, bus: IMessageBus) -> None:
        """A call fails at once, not after its timeout."""
        with pytest.raises(errors.NoSuchTarget, match="compute@h9"):
            await self.run(bus.call("compute@h9", "echo", {}, timeout=3600.0))

    @pytest_twisted.ensureDeferred
    async def test_no_answer_in_time(self, bus: IMessageBus) -> None:
        """A call fails after its timeout, and a late answer disturbs nobody."""
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("conductor", endpoint))
        with pytest.raises(errors.CallTimedOut, match="silence"):
            await self.run(bus.call("conductor", "silence", {}, timeout=0.2))
        endpoint.silenced[0].callback(None)
        assert await self.run(bus.call("conductor", "echo", {"a": 1})) == {"a": 1}

    @pytest_twisted.ensureDeferred
    async def test_a_wake_arrives_later(self, bus: IMessageBus) -> None:
        """Never while it is sent."""
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("scheduler", endpoint))
        bus.wake("scheduler", {"ids": ["a"]})
        assert not endpoint.wakes.pending
        assert await self.settled(endpoint.wakes.get()) == {"ids": ["a"]}

    @pytest_twisted.ensureDeferred
    async def test_addresses_are_apart(self, bus: IMessageBus) -> None:
        """What is for one host reaches no other."""
        first, second = ListeningEndpoint(), ListeningEndpoint()
        await self.run(bus.serve("compute@h1", first))
        await self.run(bus.serve("compute@h2", second))
        bus.wake("compute@h1", {"n": 1})
        bus.wake("compute@h2", {"n": 2})
        assert await self.settled(first.wakes.get()) == {"n": 1}
        assert await self.settled(second.wakes.get()) == {"n": 2}
        assert not first.wakes.pending

    @pytest_twisted.ensureDeferred
    async def test_a_wake_to_nobody_is_dropped(self, bus: IMessageBus) -> None:
        """No error, and nobody hears of it later."""
        bus.wake("scheduler", {"old": True})
        await self.run(bus.report("conductor", {}))  # the wake has had its time now
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("scheduler", endpoint))
        bus.wake("scheduler", {"old": False})
        assert await self.settled(endpoint.wakes.get()) == {"old": False}

    @pytest_twisted.ensureDeferred
    async def test_reports_arrive_in_order(self, bus: IMessageBus) -> None:
        """All of them."""
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("conductor", endpoint))
        for n in range(20):
            await self.run(bus.report("conductor", {"n": n}))
        assert [(await self.settled(endpoint.reports.get()))["n"] for _ in range(20)] == list(range(20))

    @pytest_twisted.ensureDeferred
    async def test_reports_wait_for_somebody(self, bus: IMessageBus) -> None:
        """They are kept until an endpoint comes."""
        await self.run(bus.report("conductor", {"n": 1}))
        await self.run(bus.report("conductor", {"n": 2}))
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("conductor", endpoint))
        assert await self.settled(endpoint.reports.get()) == {"n": 1}
        assert await self.settled(endpoint.reports.get()) == {"n": 2}

    @pytest_twisted.ensureDeferred
    async def test_a_refused_report_comes_again(self, bus: IMessageBus) -> None:
        """Until it is taken."""
        endpoint = ListeningEndpoint(refuse=2)
        await self.run(bus.serve("conductor", endpoint))
        await self.run(bus.report("conductor", {"n": 1}))
        assert await self.settled(endpoint.reports.get()) == {"n": 1}
        assert endpoint.refuse == 0

    @pytest_twisted.ensureDeferred
    async def test_endpoints_share_the_work(self, bus: IMessageBus) -> None:
        """Each message goes to one of them, and all get some."""
        endpoints = [ListeningEndpoint(), ListeningEndpoint()]
        for endpoint in endpoints:
            await self.run(bus.serve("conductor", endpoint))
        for n in range(10):
            await self.run(bus.report("conductor", {"n": n}))
        await self.run(bus.call("conductor", "echo", {}))
        counts = [len(endpoint.reports.pending) for endpoint in endpoints]
        assert sum(counts) == 10
        assert min(counts) > 0

    @pytest_twisted.ensureDeferred
    async def test_stopping_waits_for_what_runs(self, bus: IMessageBus) -> None:
        """And takes nothing more."""
        endpoint = ListeningEndpoint()
        subscription: ISubscription = await self.run(bus.serve("conductor", endpoint))
        answer = Deferred.fromCoroutine(bus.call("conductor", "silence", {}))
        await self.run(bus.report("conductor", {}))
        await self.settled(endpoint.reports.get())
        stopped = Deferred.fromCoroutine(subscription.stop())
        assert not stopped.called
        endpoint.silenced[0].callback(None)
        assert await self.settled(gatherResults([answer, stopped])) == ["late", None]
        with pytest.raises(errors.NoSuchTarget):
            await self.run(bus.call("conductor", "echo", {}))

    @pytest_twisted.ensureDeferred
    async def test_any_json_arrives_as_it_was(self, bus: IMessageBus) -> None:
        """Other alphabets, large texts, nothing and numbers, both as a report and there and back in a call."""
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("conductor", endpoint))
        body = {"größe": "zwölf ☃ \U0001f600", "text": "x" * 200_000 + "ü" * 100_000, "none": None, "yes": True,
                "large": 2**53, "real": -0.5, "list": [[], {}, ""]}
        assert await self.run(bus.call("conductor", "echo", body)) == body
        await self.run(bus.report("conductor", body))
        assert await self.settled(endpoint.reports.get()) == body

    @pytest_twisted.ensureDeferred
    async def test_a_slow_call_holds_up_no_other(self, bus: IMessageBus) -> None:
        """Nor reports; and each caller gets its own answer."""
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("conductor", endpoint))
        slow = Deferred.fromCoroutine(bus.call("conductor", "silence", {}))
        answers = await self.settled(gatherResults([
            Deferred.fromCoroutine(bus.call("conductor", "echo", {"n": n})) for n in range(20)]))
        assert answers == [{"n": n} for n in range(20)]
        await self.run(bus.report("conductor", {}))
        await self.settled(endpoint.reports.get())
        assert not slow.called
        endpoint.silenced[0].callback(None)
        assert await self.settled(slow) == "late"

    @pytest_twisted.ensureDeferred
    async def test_a_report_that_is_refused_holds_up_no_other(self, bus: IMessageBus) -> None:
        """The others are applied meanwhile, and it is applied in the end."""
        endpoint = ListeningEndpoint(refuse=1)
        await self.run(bus.serve("conductor", endpoint))
        for n in range(5):
            await self.run(bus.report("conductor", {"n": n}))
        assert sorted([(await self.settled(endpoint.reports.get()))["n"] for _ in range(5)]) == list(range(5))

    @pytest_twisted.ensureDeferred
    async def test_whatever_collapses_the_last_wake_arrives(self, bus: IMessageBus) -> None:
        """A wake sent after the endpoint was woken wakes it again."""
        endpoint = ListeningEndpoint()
        await self.run(bus.serve("scheduler", endpoint))
        for _ in range(3):
            for _ in range(100):
                bus.wake("scheduler", {})
            assert await self.settled(endpoint.wakes.get()) == {}
            assert len(endpoint.wakes.pending) < 100
            endpoint.wakes.pending.clear()

    @pytest_twisted.ensureDeferred
    async def test_who_stopped_may_come_back(self, bus: IMessageBus) -> None:
        """What was reported meanwhile was kept."""
        first, second = ListeningEndpoint(), ListeningEndpoint()
        subscription: ISubscription = await self.run(bus.serve("conductor", first))
        await self.run(subscription.stop())
        await self.run(bus.report("conductor", {"n": 1}))
        await self.run(bus.serve("conductor", second))
        assert await self.settled(second.reports.get()) == {"n": 1}
        assert await self.run(bus.call("conductor", "echo", {"n": 2})) == {"n": 2}
        assert not first.reports.pending
