"""Marks: which report was the newest applied to a row, so that one that comes late or again never undoes it.

A broker gives back what a dead conductor held, behind what came since. ``store.ports`` and ``store.addresses`` compare;
sessions are raised by each start of a worker, counters by each of its reports.
"""

from typing import Any

from sqlalchemy import Table, and_, or_

from stackd.store.tables.base import MARKS


def not_newer(table: Table, mark: tuple[int, int]) -> Any:
    """The condition that the row has heard nothing newer than a report of this session and counter."""
    session, counter = (table.c[name] for name in MARKS)
    return or_(session < mark[0], and_(session == mark[0], counter <= mark[1]))
