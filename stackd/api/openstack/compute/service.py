"""The compute API, Nova's version 2.1, as one web resource. The API daemon mounts it at ``/compute``."""

from typing import ClassVar

from klein import Klein
from klein.resource import KleinResource

from stackd.api.openstack.compute import faults, routing
from stackd.api.openstack.compute.actions import Actions
from stackd.api.openstack.compute.discovery import Discovery
from stackd.api.openstack.compute.extensions import Extensions
from stackd.api.openstack.compute.flavors import Flavors
from stackd.api.openstack.compute.history import History
from stackd.api.openstack.compute.interfaces import Interfaces
from stackd.api.openstack.compute.keypairs import KeyPairs
from stackd.api.openstack.compute.metadata import Metadata
from stackd.api.openstack.compute.operators import Hypervisors, Services
from stackd.api.openstack.compute.quotas import Quotas
from stackd.api.openstack.compute.servers import Servers
from stackd.api.openstack.compute.tags import Tags
from stackd.api.openstack.compute.zones import Zones
from stackd.api.openstack.faults import Render
from stackd.core.cloud import Cloud
from stackd.interfaces.identity import IIdentity


class ComputeService(Discovery, Servers, Actions, Metadata, Tags, Interfaces, History, Flavors, KeyPairs, Zones, Quotas,
                     Services, Hypervisors, Extensions):
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
