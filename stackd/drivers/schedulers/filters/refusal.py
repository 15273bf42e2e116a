"""What a filter answers on no."""

from typing import NamedTuple


class No(NamedTuple):
    """Why, in words, and how near it came: 0 is hopeless, 1 nearly fits."""

    reason: str
    nearness: float = 0.0


def lacking(what: str, unit: str, needed: int, free: int) -> No | None:
    """No when less than ``needed`` is free, with the nearness as the share that is there."""
    if free >= needed:
        return None
    return No(f"needs {needed} {unit} of {what}, has {max(free, 0)} free", max(free, 0) / needed)
