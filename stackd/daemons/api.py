"""``stack-api``: the OpenStack and EC2 APIs, and nothing that acts."""

from stackd.daemons.endpoints import api_services
from stackd.daemons.split import DaemonService, Options, daemon

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, api_services)
