"""``stack-scheduler``: finds hosts for instances."""

from stackd.daemons.control import scheduler_service
from stackd.daemons.parts import Parts
from stackd.daemons.split import DaemonService, Options, daemon

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, scheduler_service, Parts)
