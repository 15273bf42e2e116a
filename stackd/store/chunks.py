"""Long lists of ids in statements: cut into pieces that every database takes. Store modules call it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# sqlite takes 32,766 parameters, PostgreSQL 65,535; one piece serves the largest page with room to spare.
LONGEST = 10_000


def chunks(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    """The different ids in pieces, sorted, so that everybody locks rows in one order."""
    many = sorted(set(ids))
    for start in range(0, len(many), LONGEST):
        yield many[start:start + LONGEST]


def gathered(ids: Iterable[str], fetch: Callable[[Sequence[str]], Iterable[T]]) -> list[T]:
    """What ``fetch`` finds for all ids, a piece at a time."""
    return [found for some in chunks(ids) for found in fetch(some)]
