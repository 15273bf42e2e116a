"""``stack-registry``: alone owns what is known about images, and answers ``stack-image`` over the bus."""

from stackd.daemons.parts import Parts
from stackd.daemons.split import DaemonService, Options, daemon
from stackd.imageservice.endpoint import RegistryEndpoint, RegistryService
from stackd.imageservice.sharing import Sharing

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, registry_service, Parts)


def registry_service(parts: Parts) -> RegistryService:
    """One registry; any number of them may serve one database."""
    return RegistryService(parts.bus, RegistryEndpoint(parts.own_registry, Sharing(parts.database), parts.identity))
