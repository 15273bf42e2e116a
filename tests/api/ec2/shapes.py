"""Values of AWS's shapes at random, for tests that fill in whatever a model allows."""

import math
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufffe\uffff",
                             exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
TIMES = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
MOST = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def numbers(shape: Any, bits: int) -> Any:
    """A strategy for integers the shape allows."""
    low, high = shape.metadata.get("min", -2 ** bits), shape.metadata.get("max", 2 ** bits - 1)
    return st.integers(low, high)


def values(shape: Any, depth: int = 0) -> Any:
    """A strategy for values of a shape; deep structures stay small."""
    name = shape.type_name
    if name == "structure":
        plain = [key for key, member in shape.members.items() if member.type_name not in ("structure", "list")]
        names = sorted(shape.members if depth < 4 or not plain else plain)
        return st.lists(st.sampled_from(names), min_size=min(1, depth), max_size=3, unique=True).flatmap(
            lambda chosen: st.fixed_dictionaries({key: values(shape.members[key], depth + 1)
                                                  for key in {*chosen, *shape.required_members}}))
    if name == "list":
        return st.lists(values(shape.member, depth + 1), min_size=1, max_size=2)
    if name == "string":
        low, high = shape.metadata.get("min", 1), shape.metadata.get("max", math.inf)
        return st.sampled_from(shape.enum) if shape.enum else TEXT.map(
            lambda text: (text * low)[:max(low, int(min(high, 64)))])
    return {"integer": lambda: numbers(shape, 31), "long": lambda: numbers(shape, 63), "boolean": st.booleans,
            "timestamp": lambda: TIMES, "blob": lambda: st.binary(max_size=20),
            "double": lambda: st.floats(0, 1e6), "float": lambda: st.floats(0, 1e6)}[name]()
