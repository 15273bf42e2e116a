"""The saboteur: kills a daemon at its n-th call to the outside, before, after or late, and has it built anew.

A daemon's life is everything it does between being built and being thrown away. Its clock, its driver, its bus and
its database reach the world only through gates of that life; when the life ends, so do they: timers are gone, calls
under way never answer, and nothing the dead coroutines still try has any effect.
"""

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any

from attrs import field, frozen, mutable
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import directlyProvides, providedBy

LATE_SECONDS = 2.0


class Moment(Enum):
    """When the daemon dies, seen from the call it dies in."""

    BEFORE = "before"
    """The call has no effect."""
    AFTER = "after"
    """It has its effect; the daemon never learns of it."""
    LATE = "late"
    """It has its effect only after the rebuilt daemon has had its first look, as a thread inside a library would."""


@frozen
class Blow:
    """Kill ``daemon`` at its ``at``-th call (0 is the first)."""

    daemon: str
    at: int
    moment: Moment


@mutable(eq=False)
class Saboteur:
    """Counts the calls of each daemon over all its lives and strikes once; ``calls`` tells what they were."""

    clock: Clock
    blow: Blow | None = None
    calls: dict[str, list[str]] = field(factory=dict)
    counting: bool = False
    struck: str = ""

    def strikes(self, daemon: str, what: str) -> bool:
        """Whether the daemon dies in this call."""
        if not self.counting:
            return False
        made = self.calls.setdefault(daemon, [])
        made.append(what)
        blow = self.blow
        if blow is None or self.struck or blow.daemon != daemon or blow.at != len(made) - 1:
            return False
        self.struck = what
        return True


@mutable(eq=False)
class Life:
    """One life of one daemon; ``died`` is called once when it ends by a blow."""

    name: str
    saboteur: Saboteur
    died: Callable[[], None]
    alive: bool = True
    ends: list[Callable[[], None]] = field(factory=list)

    def end(self) -> None:
        """Nothing this life still tries has any effect."""
        self.alive = False
        for end in self.ends:
            end()
        self.ends.clear()

    def strike(self) -> None:
        """End by a blow."""
        self.end()
        self.died()

    def gate(self, part: Any, name: str) -> Any:
        """The part as this life reaches it."""
        gate = Gate(self, part, name)
        directlyProvides(gate, *providedBy(part))
        return gate

    def clock(self) -> "LifeClock":
        """Time as this life feels it."""
        return LifeClock(self, self.saboteur.clock)


class LifeClock:
    """A clock whose timers end with the life."""

    def __init__(self, life: Life, clock: Clock) -> None:
        """Made by :class:`Life` only."""
        self._life = life
        self._clock = clock
        self._calls: list[Any] = []
        life.ends.append(self._cancel)

    def seconds(self) -> float:
        """The same time as everybody's."""
        return float(self._clock.seconds())

    def callLater(self, delay: float, callable: Any, *args: Any, **kwargs: Any) -> Any:
        """Call later, unless the life ends before."""
        later = self._clock.callLater(delay, self._call, callable, args, kwargs)
        self._calls = [one for one in self._calls if one.active()]
        self._calls.append(later)
        return later

    def _call(self, call: Callable[..., Any], args: Any, kwargs: Any) -> None:
        if self._life.alive:
            call(*args, **kwargs)

    def _cancel(self) -> None:
        for call in self._calls:
            if call.active():
                call.cancel()


class Gate:
    """Passes calls on while the life lasts; each is one call to the outside."""

    def __init__(self, life: Life, part: Any, name: str) -> None:
        """Made by :class:`Life` only."""
        self._life = life
        self._part = part
        self._name = name

    def __getattr__(self, verb: str) -> Any:
        """Methods are guarded, values are passed on."""
        found = getattr(self._part, verb)
        if not callable(found):
            return found
        if inspect.iscoroutinefunction(found):
            return lambda *args, **kwargs: self._awaited(found, verb, args, kwargs)
        return lambda *args, **kwargs: self._sent(found, verb, args, kwargs)

    async def _awaited(self, call: Callable[..., Any], verb: str, args: Any, kwargs: Any) -> Any:
        life = self._life
        if not life.alive:
            return await never()
        if life.saboteur.strikes(life.name, f"{self._name}.{verb}"):
            moment = life.saboteur.blow.moment if life.saboteur.blow else Moment.BEFORE
            if moment is Moment.AFTER:
                await _to_the_end(call, args, kwargs)
            life.strike()
            if moment is Moment.LATE:
                life.saboteur.clock.callLater(
                    LATE_SECONDS, lambda: Deferred.fromCoroutine(_to_the_end(call, args, kwargs)))
            return await never()
        try:
            result = await call(*args, **kwargs)
        except Exception:
            if life.alive:
                raise
            return await never()
        if not life.alive:
            return await never()
        if hasattr(result, "crash"):
            life.ends.append(result.crash)
        return result

    def _sent(self, call: Callable[..., Any], verb: str, args: Any, kwargs: Any) -> Any:
        life = self._life
        if not life.alive:
            return None
        if life.saboteur.strikes(life.name, f"{self._name}.{verb}"):
            moment = life.saboteur.blow.moment if life.saboteur.blow else Moment.BEFORE
            if moment is Moment.AFTER:
                call(*args, **kwargs)
            if moment is Moment.LATE:
                life.saboteur.clock.callLater(LATE_SECONDS, call, *args, **kwargs)
            life.strike()
            return None
        return call(*args, **kwargs)


async def never() -> Any:
    """Wait for ever: what a dead process gets for an answer."""
    return await Deferred()


async def _to_the_end(call: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """Let the call have its effect; nobody hears how it ended."""
    try:
        await call(*args, **kwargs)
    except Exception:
        return
