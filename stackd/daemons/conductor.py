"""``stack-conductor``: speaks for the database to the hosts."""

from stackd.daemons.control import conductor_service
from stackd.daemons.parts import Parts
from stackd.daemons.split import DaemonService, Options, daemon

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, conductor_service, Parts)
