"""The compute API, Nova's version 2.1, as one web resource. The API daemon mounts it at ``/compute``."""

from typing import ClassVar

from klein import Klein
from klein.resource import KleinResource

from stackd.api.openstack.compute import faults, routing
from stackd.api.openstack.compute.discovery import Discovery
from stackd.api.openstack.compute.servers import Servers
from stackd.api.openstack.faults import Render
from stackd.core.cloud import Cloud
from stackd.interfaces.identity import IIdentity


class ComputeService(Discovery, Servers):
    """Every operation of the compute API."""

    app: ClassVar[Klein] = routing.app
    render: ClassVar[Render] = staticmethod(faults.render)

    def __init__(self, identity: IIdentity, cloud: Cloud) -> None:
        """``identity`` knows callers by their tokens, ``cloud`` has the use cases."""
        super().__init__(identity)
        self.cloud = cloud

    def resource(self) -> KleinResource:
        """The web resource to mount."""
        return self.app.resource()
