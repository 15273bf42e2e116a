"""``stack-api``: the OpenStack and EC2 APIs, metadata for proxies, the operator's socket, and nothing that acts."""

from twisted.application.service import MultiService

from stackd.daemons.endpoints import api_services, metadata_service
from stackd.daemons.operating import operator_commands
from stackd.daemons.operator import operator_service
from stackd.daemons.parts import Parts
from stackd.daemons.split import DaemonService, Options, daemon

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, api)


def api(parts: Parts) -> MultiService:
    """All that listens."""
    services = MultiService()  # type: ignore[no-untyped-call]
    api_services(parts).setServiceParent(services)
    metadata_service(parts).setServiceParent(services)
    operator_service(parts.reactor, parts.operator_socket, operator_commands(parts, None)).setServiceParent(services)
    return services
