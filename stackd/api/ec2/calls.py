"""What an action is and what it is given: the values that pass between ``dispatch`` and ``actions``."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from attrs import field, frozen

from stackd import errors
from stackd.core.cloud import Cloud
from stackd.model.callers import Caller

Values = dict[str, Any]
"""Member names of AWS's shapes -> values."""


@frozen(kw_only=True)
class Call:
    """One verified request: ``parameters`` are typed and keyed by the model's member names."""

    action: str
    caller: Caller
    parameters: Mapping[str, Any] = field(repr=False)
    core: Cloud = field(repr=False)
    region: str
    endpoint: str
    """Host and port the client spoke to."""
    now: float
    dry_run: bool = False

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default when it was not sent."""
        return self.parameters.get(name, default)

    def items(self, name: str) -> list[Any]:
        """A list parameter; empty when it was not sent."""
        return list(self.parameters.get(name) or ())

    def demand(self, name: str) -> Any:
        """A parameter that must be there and not empty; raises ``MissingValue``."""
        value = self.parameters.get(name)
        if value in (None, "", []):
            raise errors.MissingValue(f"the parameter {name}")
        return value


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@frozen(kw_only=True)
class Action:
    """One action of the API: the function, the role its dry run asks for, and the parameters it takes.

    ``words`` say what it does, for refusals. ``rehearses`` tells that the function itself answers dry runs.
    ``harmless`` are parameters whose wish is met, or means nothing here, whatever they say.
    """

    run: Callable[[Call], Awaitable[Values]]
    role: str
    words: str
    takes: frozenset[str] = field(default=frozenset(), converter=_names)
    harmless: frozenset[str] = field(default=frozenset(), converter=_names)
    rehearses: bool = False


def refuse_unsupported(call: Call, action: Action) -> None:
    """Raise ``NotSupported`` for a parameter that AWS has and stackd lacks, unless it asks for nothing."""
    for name, value in call.parameters.items():
        if name not in action.takes and name not in action.harmless and _asks(value):
            raise errors.NotSupported(f"The parameter {name} of {call.action} is not supported by this cloud.",
                                      remedy="Leave it out.")


def _asks(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_asks(part) for part in value.values())
    if isinstance(value, list):
        return any(_asks(part) for part in value)
    return value not in (False, "", None)
