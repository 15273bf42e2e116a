"""The metadata service in the routers of a host that one process plays whole; ``hosts`` calls it."""

from stackd.api.sites import ToldSite
from stackd.daemons.parts import Parts
from stackd.interfaces.assignments import IAssignments
from stackd.interfaces.network import IRouters
from stackd.model.assignments import InstanceAssignment
from stackd.workers.compute import ComputeWorker
from stackd.workers.metadata.hosting import host_metadata
from stackd.workers.metadata.listeners import MetadataListeners
from stackd.workers.network import NetworkWorker


def host_service(parts: Parts, routers: IRouters, network: NetworkWorker, compute: ComputeWorker,
                 assignments: IAssignments) -> MetadataListeners:
    """The service of one host, from what its workers know."""
    def lookup(network_id: str, address: str) -> InstanceAssignment | None:
        port = network.port_at(network_id, address)
        return compute.assignment(port.wiring.instance_id) if port is not None and port.wiring is not None else None

    async def user_data(instance_id: str) -> bytes:
        return await assignments.user_data(compute.host, instance_id)

    return host_metadata(reactor=parts.reactor, routers=routers, lookup=lookup, user_data=user_data,
                         region=parts.config.cloud.region, secret=parts.metadata_secret, site=ToldSite)
