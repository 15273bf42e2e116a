"""``stack-image``: the image API and its bytes."""

from stackd.daemons.endpoints import image_services
from stackd.daemons.split import DaemonService, Options, daemon

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, image_services)
