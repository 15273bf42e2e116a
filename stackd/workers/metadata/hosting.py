"""The metadata service of one host, put together; the daemon that wires the host's workers calls it."""

from collections.abc import Callable
from typing import Any

from twisted.web.resource import IResource
from twisted.web.server import Site

from stackd.interfaces.network import IRouters
from stackd.workers.metadata.listeners import MetadataListeners
from stackd.workers.metadata.web import Lookup, MetadataResource, UserData, by_source


def host_metadata(*, reactor: Any, routers: IRouters, lookup: Lookup, user_data: UserData, region: str,
                  secret: bytes, site: Callable[[IResource], Site] = Site) -> MetadataListeners:
    """A service that answers in every router of the host.

    ``routers`` is the network driver where it provides ``IRouters``. ``lookup(network_id, address)`` gives the
    instance that holds an address on a network, from what the host knows; ``user_data(instance_id)`` asks the
    cloud. ``secret`` signs session tokens and is the same after a restart. ``site`` bounds what guests may send.
    """
    def resource(network_id: str) -> MetadataResource:
        return MetadataResource(find=by_source(lookup, network_id), user_data=user_data, region=region,
                                secret=secret, clock=reactor)

    return MetadataListeners(reactor=reactor, clock=reactor, networks=routers.networks,
                             identity=routers.router_identity, open_socket=routers.metadata_socket, resource=resource,
                             site=site)
