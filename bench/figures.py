"""Figures: one measured value each, with what it means and the target where there is one; printed as a JSON line."""

import json
import math
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Figure:
    """One value. ``target`` is the least value wanted where ``more_is_better``, else the most."""

    name: str
    value: float
    unit: str
    meaning: str
    target: float | None = None
    more_is_better: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.more_is_better else self.value <= self.target

    def line(self) -> str:
        """The figure as JSON on one line."""
        shown: dict[str, Any] = {"name": self.name, "value": rounded(self.value), "unit": self.unit,
                                 "meaning": self.meaning}
        if self.target is not None:
            shown |= {"target": self.target, "reached": self.reached}
        return json.dumps(shown)


def rounded(value: float) -> float:
    """Three significant digits, or all of those before the point."""
    if value == 0:
        return 0.0
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(name: str, values: Sequence[float], meaning: str, target: float | None = None) -> list[Figure]:
    """p50 and p99 of times in seconds, in milliseconds; the target is for the p50."""
    many = f"{meaning}; {len(values)} times"
    return [Figure(name=f"{name}_p50", value=1000 * median(values), unit="ms", meaning=many, target=target),
            Figure(name=f"{name}_p99", value=1000 * percentile(values, 99), unit="ms", meaning=many)]


def say(words: str) -> None:
    """One line of progress, on the standard error output."""
    print(f"bench: {words}", file=sys.stderr, flush=True)
