"""Parts of a daemon that show figures of themselves, or how they are; ``daemons`` finds them with ``providedBy``."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from zope.interface import Interface

from stackd.model.figures import Figure


class IMeasured(Interface):
    """Whoever provides it knows nothing of how figures are shown."""

    def figures() -> Iterable[Figure]:
        """As they are now; called at each look of the monitoring, so it must be quick, and must not wait."""


class IChecked(Interface):
    """A part whose health can be asked for."""

    def checks() -> Mapping[str, Callable[[], Awaitable[str]]]:
        """By the name of what is looked at: coroutine functions that give what is wrong, empty when all is well."""
