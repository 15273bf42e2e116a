"""The work queue as a Twisted service: daemons start and stop it with everything else they are made of."""

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from stackd.reconcile.queue import WorkQueue


class ReconcileService(Service):
    """Runs a queue while the daemon runs."""

    def __init__(self, queue: WorkQueue) -> None:
        """``queue`` may hold keys already."""
        self.queue = queue

    def startService(self) -> None:
        """Begin to reconcile."""
        super().startService()  # type: ignore[no-untyped-call]
        self.queue.start()

    def stopService(self) -> "Deferred[None]":
        """Begin nothing more; fires when what runs has ended."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self.queue.stop())
