"""Sessions of workers in SQL: each hello raises one, and what a worker observes is ordered by it.

The conductor drops reports of sessions that no hello has begun: a row that heard of session a thousand would be deaf to
the host's next ones, also after the host was mended.
"""

from collections.abc import Sequence

from sqlalchemy import select
from twisted.logger import Logger

from stackd.model.assignments import Report
from stackd.store.chunks import gathered
from stackd.store.database import Transaction
from stackd.store.tables.cloud import contacts

_log = Logger()


def begun(tx: Transaction, reports: Sequence[Report]) -> list[Report]:
    """The reports of sessions that were begun, in order; those of a worker that never said hello are all kept."""
    newest = {(host, worker): session for host, worker, session in gathered(
        (report.host for report in reports), lambda some: tx.execute(
            select(contacts.c.host, contacts.c.worker, contacts.c.session).where(contacts.c.host.in_(some))).all())}
    kept = [report for report in reports if report.session <= newest.get((report.host, report.worker), report.session)]
    if len(kept) < len(reports):
        _log.warn("{dropped} reports are dropped: no hello began their sessions", dropped=len(reports) - len(kept))
    return kept
