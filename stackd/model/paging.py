"""Paging by key: what a list asks for, and one page of the answer."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from attrs import frozen

T = TypeVar("T")

MAX_LIMIT = 1000


@frozen(kw_only=True)
class PageRequest:
    """At most ``limit`` records (1 to 1000) after the one whose 32-digit id is ``marker``.

    Lists are ordered newest first by (created_at, id) unless ``reverse``, then oldest first.
    """

    limit: int = MAX_LIMIT
    marker: str | None = None
    reverse: bool = False


@frozen
class Page(Generic[T]):
    """Records in order; ``more`` tells whether another page follows the last one."""

    items: tuple[T, ...]
    more: bool = False

    def __iter__(self) -> Iterator[T]:
        """The records of this page."""
        return iter(self.items)

    def __len__(self) -> int:
        """How many records this page holds."""
        return len(self.items)
