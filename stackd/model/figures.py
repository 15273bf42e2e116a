"""What a part of a daemon shows of itself: a number with a name. ``daemons/metrics`` gathers them for operators."""

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Figure:
    """One number; those of one name and labels from several parts of a process are added up.

    Labels take few values: never an id, never a host.
    """

    name: str
    """In snake case, without ``stackd_`` before it."""
    words: str
    value: float
    labels: Mapping[str, str] = field(factory=dict)
    total: bool = False
    """Whether it counts since the process began, and so never falls."""
