"""Rows held until commit, so that what a function read and decided upon is still so when it writes.

sqlite lets one transaction write at a time and needs none of it; elsewhere every function that reads a row, computes
and writes the row back holds it first. Store modules call it.
"""

from typing import Any

from sqlalchemy import Table, select

from stackd.store.database import Transaction


def hold(tx: Transaction, table: Table, condition: Any) -> None:
    """In a writing transaction: nobody else changes these rows of ``table``, which has an ``id``, until commit.

    Rows are taken in order of their ids. What was read of them before may be out of date; read again.
    """
    if tx.writing and tx.dialect != "sqlite":
        # key_share: rows that refer to these may still be made, for the keys stay.
        tx.execute(select(table.c.id).where(condition).order_by(table.c.id).with_for_update(key_share=True)).all()
