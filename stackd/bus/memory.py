"""The message bus of one process: the embedded cloud's, and with disturbances the tests'.

Nothing passes here that would fail on a broker: every body is serialised and parsed again, nothing is delivered
synchronously, errors come back as they would over the wire. Messages leave in the order they were sent, many in one
turn of the reactor. The entry point ``memory`` of the group ``stackd.buses``; ``bus/amqp.py`` is its big sister.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from attrs import frozen, mutable
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from stackd import errors
from stackd.bus.disturbance import ON_TIME, Disturbance, Passage
from stackd.interfaces.bus import LARGEST, Body, IEndpoint, IMessageBus, ISubscription
from stackd.interfaces.clock import Clock
from stackd.model import wire

_log = Logger()


@frozen(kw_only=True)
class MemoryBusSettings:
    """Seconds and counts. ``kept_reports`` are held per address nobody serves; more raise ``Overloaded``."""

    kept_reports: int = 10_000
    largest: int = LARGEST
    """Bytes of a report, a call or an answer; more raise ``PayloadTooLarge``, as on a broker."""
    turn: int = 500
    """Messages delivered before other things get a turn."""
    redeliver_first: float = 0.1
    redeliver_most: float = 15.0
    tries: int = 10
    """How often a report may raise something else than ``Unavailable`` before it is set aside."""


@mutable(eq=False)
class _Report:
    address: str
    body: bytes
    tries: int = 0
    waits: int = 0


@mutable(eq=False)
class _Call:
    address: str
    method: str
    body: bytes
    answer: Deferred[bytes]


@mutable(eq=False)
class _Served:
    """An endpoint that takes messages, and what it is at: token -> report or None for a call."""

    endpoint: IEndpoint
    running: dict[object, _Report | None]
    idle: Deferred[None] | None = None
    crashed: bool = False


@implementer(ISubscription)
@frozen
class MemorySubscription:
    """One endpoint at one address."""

    _bus: "MemoryBus"
    _address: str
    _served: _Served

    async def stop(self) -> None:
        """Take no more messages and wait for the running handlers."""
        self._bus.withdraw(self._address, self._served)
        if self._served.running:
            self._served.idle = self._served.idle or Deferred()
            await self._served.idle

    def crash(self) -> None:
        """As when the daemon's process dies: reports it had not finished go to others, its calls are never answered."""
        self._bus.withdraw(self._address, self._served)
        self._served.crashed = True
        unfinished = [report for report in self._served.running.values() if report is not None]
        self._served.running.clear()
        self._bus.deliver_again(unfinished)


@implementer(IMessageBus)
class MemoryBus:
    """All addresses of one process."""

    def __init__(self, clock: Clock, disturbance: Disturbance | None = None,
                 settings: MemoryBusSettings | None = None) -> None:
        """``disturbance`` decides which messages go astray; None lets all arrive."""
        self._clock = clock
        self._disturbance = disturbance
        self._settings = settings or MemoryBusSettings()
        self._served: dict[str, deque[_Served]] = {}
        self._outbox: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._turn_comes = False
        self._wakes: set[tuple[str, bytes]] = set()
        self._calls: set[_Call] = set()
        self._kept: dict[str, deque[_Report]] = {}
        self.set_aside: deque[tuple[str, Body]] = deque(maxlen=1000)
        """(address, body) of the last reports that could not be applied however often they were tried."""

    # --- sending ---

    def wake(self, address: str, body: Body) -> None:
        """Queue a wake unless an equal one is queued."""
        wake = address, orjson.dumps(body)
        if wake not in self._wakes:
            self._wakes.add(wake)
            if 0.0 not in self._post(Passage.WAKE, address, self._deliver_wake, wake):
                self._wakes.discard(wake)

    async def report(self, address: str, body: Body) -> None:
        """Queue a report; returns when its turn to be delivered has come."""
        if len(self._kept.get(address, ())) >= self._settings.kept_reports:
            raise errors.Overloaded(f"Nobody takes the reports to {address}, and too many wait.")
        taken: Deferred[None] = Deferred()
        report = _Report(address, self._packed(body))
        if not self._post(Passage.REPORT, address, self._take_report, report, taken):
            self._enqueue(self._lose_report, report, taken)
        await taken

    async def call(self, address: str, method: str, body: Body, timeout: float = 30.0) -> Any:
        """Ask one of the endpoints at the address."""
        call = _Call(address, method, self._packed(body), Deferred())
        deadline = self._clock.callLater(timeout, self._time_out, call, timeout)
        self._calls.add(call)
        self._post(Passage.CALL, address, self._deliver_call, call)
        try:
            reply = orjson.loads(await call.answer)
        finally:
            self._calls.discard(call)
            if deadline.active():
                deadline.cancel()
        if "error" in reply:
            raise wire.load_error(reply["error"])
        return reply["ok"]

    # --- serving ---

    async def serve(self, address: str, endpoint: IEndpoint) -> MemorySubscription:
        """Take messages for the address, first the reports kept for it."""
        served = _Served(endpoint, {})
        self._served.setdefault(address, deque()).append(served)
        self.deliver_again(list(self._kept.pop(address, ())))
        return MemorySubscription(self, address, served)

    def withdraw(self, address: str, served: _Served) -> None:
        """The endpoint takes no more messages; called by its subscription."""
        endpoints = self._served.get(address)
        if endpoints and served in endpoints:
            endpoints.remove(served)
            if not endpoints:
                del self._served[address]

    def deliver_again(self, reports: list[_Report]) -> None:
        """Deliver reports whose endpoint went away; called by its subscription."""
        for report in reports:
            self._enqueue(self._deliver_report, report)

    def restart(self) -> None:
        """As when a broker restarts and loses all its queues: what is under way is gone, endpoints serve on."""
        lost, self._outbox = self._outbox, deque()
        self._wakes.clear()
        self._kept.clear()
        for deliver, args in lost:
            if deliver in (self._take_report, self._lose_report):
                self._enqueue(self._lose_report, *args)
        for call in self._calls:
            self._enqueue(self._fail, call, errors.OutcomeUnknown("The connection was lost during a call."))

    # --- the way ---

    def _packed(self, body: Body) -> bytes:
        raw = orjson.dumps(body)
        if len(raw) > self._settings.largest:
            raise errors.PayloadTooLarge(f"A message of {len(raw)} bytes is more than the bus carries "
                                         f"({self._settings.largest}).", remedy="Ask for less at once.")
        return raw

    def _post(self, passage: Passage, address: str, deliver: Callable[..., None], *args: Any) -> tuple[float, ...]:
        """Send on its way; how late each copy will arrive."""
        copies = ON_TIME if self._disturbance is None else self._disturbance.copies(passage, address)
        for delay in copies:
            if delay > 0:
                self._clock.callLater(delay, self._enqueue, deliver, *args)
            else:
                self._enqueue(deliver, *args)
        return copies

    def _enqueue(self, deliver: Callable[..., None], *args: Any) -> None:
        self._outbox.append((deliver, args))
        if not self._turn_comes:
            self._turn_comes = True
            self._clock.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        # Only what is queued now: what it causes waits for the next turn, as over a wire.
        for _ in range(min(len(self._outbox), self._settings.turn)):
            if not self._outbox:
                break
            deliver, args = self._outbox.popleft()
            deliver(*args)
        self._turn_comes = bool(self._outbox)
        if self._turn_comes:
            self._clock.callLater(0, self._take_turn)

    def _next(self, address: str) -> _Served | None:
        endpoints = self._served.get(address)
        if not endpoints:
            return None
        if len(endpoints) > 1:
            endpoints.rotate(-1)
        return endpoints[-1]

    # --- wakes ---

    def _deliver_wake(self, wake: tuple[str, bytes]) -> None:
        self._wakes.discard(wake)
        address, body = wake
        served = self._next(address)
        if served is not None:
            try:
                served.endpoint.woken(orjson.loads(body))
            except Exception:
                _log.failure("A wake to {address} failed", address=address)

    # --- reports ---

    def _take_report(self, report: _Report, taken: Deferred[None]) -> None:
        # A doubled message is two of them from here on.
        self._deliver_report(_Report(report.address, report.body))
        if not taken.called:
            taken.callback(None)

    def _lose_report(self, report: _Report, taken: Deferred[None]) -> None:
        if not taken.called:
            taken.errback(errors.OutcomeUnknown(f"The connection was lost while {report.address} was told."))

    def _deliver_report(self, report: _Report) -> None:
        served = self._next(report.address)
        if served is None:
            self._kept.setdefault(report.address, deque()).append(report)
            return
        token = object()
        served.running[token] = report
        Deferred.fromCoroutine(self._hand_over(served, token, report))

    async def _hand_over(self, served: _Served, token: object, report: _Report) -> None:
        try:
            await served.endpoint.reported(orjson.loads(report.body))
        except errors.Unavailable as error:
            self._retry(served, report, error)
        except Exception as error:
            report.tries += 1
            self._retry(served, report, error)
        finally:
            self._finished(served, token)

    def _retry(self, served: _Served, report: _Report, error: Exception) -> None:
        if served.crashed:
            return  # it was given to others
        if report.tries >= self._settings.tries:
            _log.failure("A report to {address} was set aside after {tries} tries", address=report.address,
                         tries=report.tries)
            self.set_aside.append((report.address, orjson.loads(report.body)))
            return
        _log.warn("A report to {address} is delivered again: {error}", address=report.address, error=repr(error))
        delay = min(self._settings.redeliver_most, self._settings.redeliver_first * 2 ** min(report.waits, 20))
        report.waits += 1
        self._clock.callLater(delay, self._enqueue, self._deliver_report, report)

    # --- calls ---

    def _deliver_call(self, call: _Call) -> None:
        served = self._next(call.address)
        if served is None:
            self._fail(call, errors.NoSuchTarget(f"Nobody answers at {call.address}."))
        elif not call.answer.called:
            token = object()
            served.running[token] = None
            Deferred.fromCoroutine(self._answer(served, token, call))

    async def _answer(self, served: _Served, token: object, call: _Call) -> None:
        try:
            reply = self._packed({"ok": await self._ask(served.endpoint, call)})
        except errors.StackdError as error:
            reply = orjson.dumps({"error": wire.dump_error(error)})
        except Exception as error:
            _log.failure("The call {method} at {address} failed", method=call.method, address=call.address)
            reply = orjson.dumps({"error": wire.dump_error(error)})
        finally:
            self._finished(served, token)
        if not served.crashed:
            self._post(Passage.REPLY, call.address, self._deliver_reply, call, reply)

    async def _ask(self, endpoint: IEndpoint, call: _Call) -> Any:
        method = endpoint.calls.get(call.method)
        if method is None:
            raise errors.NotSupported(f"{call.address} does not know the call {call.method}.")
        return await method(orjson.loads(call.body))

    def _deliver_reply(self, call: _Call, reply: bytes) -> None:
        if not call.answer.called:
            call.answer.callback(reply)

    def _time_out(self, call: _Call, timeout: float) -> None:
        self._fail(call, errors.CallTimedOut(f"{call.address} did not answer {call.method} within {timeout:g} s."))

    def _fail(self, call: _Call, error: errors.StackdError) -> None:
        if not call.answer.called:
            call.answer.errback(error)

    def _finished(self, served: _Served, token: object) -> None:
        served.running.pop(token, None)
        if served.idle is not None and not served.running:
            served.idle.callback(None)
            served.idle = None
