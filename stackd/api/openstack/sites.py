"""One web site for all OpenStack services: each mounted under a path, uploads streamed.

The wiring in ``daemons/`` calls it with the services' resources.
"""

from collections.abc import Mapping
from typing import Any

from twisted.web.resource import IResource, Resource

from stackd.api.openstack.streaming import StreamSite


class Mounted(Resource):
    """A service under a path, reachable with and without a slash at the end of that path."""

    isLeaf = True

    def __init__(self, service: IResource) -> None:
        """``service`` is a Klein app's resource."""
        super().__init__()
        self._service = service

    def render(self, request: Any) -> Any:
        """Pass on; ``/image`` is ``/image/`` to the routes of the service."""
        if not request.postpath:
            request.postpath = [b""]
        return self._service.render(request)


def combined_site(mounts: Mapping[str, IResource], **options: Any) -> StreamSite:
    """A site of services by first path segment, for example ``{"image": ...}``; ``options`` are ``Site``'s."""
    root = Resource()
    for segment, service in mounts.items():
        root.putChild(segment.encode(), Mounted(service))
    return StreamSite(root, **options)
