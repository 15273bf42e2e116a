"""Time as stackd uses it: Twisted's ``IReactorTime`` as the reactor and ``task.Clock`` provide it.

``seconds()`` is epoch seconds; daemons get the reactor, tests a ``Clock``.
"""

from typing import Any, Protocol


class DelayedCall(Protocol):
    """A call that can still be called off."""

    def cancel(self) -> None:
        """Call it off."""

    def active(self) -> bool:
        """Whether it is still to come."""


class Clock(Protocol):
    """The part of ``IReactorTime`` in use."""

    def seconds(self) -> float:
        """Epoch seconds."""

    def callLater(self, delay: float, callable: Any, *args: Any, **kwargs: Any) -> Any:
        """Call later; returns a :class:`DelayedCall`."""
