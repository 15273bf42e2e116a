"""The metadata service in the routers of a host, beside its network worker; ``hosts`` calls it."""

from stackd.api.sites import ToldSite
from stackd.daemons.plainparts import PlainParts
from stackd.interfaces.assignments import IAssignments
from stackd.interfaces.network import IRouters
from stackd.workers.metadata.hosting import host_metadata
from stackd.workers.metadata.listeners import MetadataListeners
from stackd.workers.network import NetworkWorker


def host_service(parts: PlainParts, routers: IRouters, worker: NetworkWorker, assignments: IAssignments
                 ) -> MetadataListeners:
    """The service of one host, from what its network worker was told; user data is asked of the cloud."""
    async def user_data(instance_id: str) -> bytes:
        return await assignments.user_data(worker.host, instance_id)

    return host_metadata(reactor=parts.reactor, routers=routers, lookup=worker.guest_at, user_data=user_data,
                         region=parts.config.cloud.region, secret=parts.metadata_secret, site=ToldSite)
