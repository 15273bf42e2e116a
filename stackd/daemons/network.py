"""``stack-network``: the wiring of one host."""

from twisted.application.service import IService

from stackd.daemons import machine
from stackd.daemons.hosts import host_services
from stackd.daemons.plainparts import PlainParts
from stackd.daemons.split import DaemonService, Options, daemon

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, _network, PlainParts)


def _network(parts: PlainParts) -> IService:
    return host_services(parts, machine.prepare(parts.config, guests=False), compute=False)
