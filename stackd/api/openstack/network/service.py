"""The network API, Neutron's version 2.0, as one web resource. The API daemon mounts it at ``/network``."""

from typing import ClassVar

from klein import Klein
from klein.resource import KleinResource

from stackd.api.openstack.faults import Render
from stackd.api.openstack.network import faults, routing
from stackd.api.openstack.network.addresses import FloatingIPs
from stackd.api.openstack.network.discovery import Discovery
from stackd.api.openstack.network.groups import SecurityGroups
from stackd.api.openstack.network.networks import Networks
from stackd.api.openstack.network.ports import Ports
from stackd.api.openstack.network.quotas import Quotas
from stackd.api.openstack.network.subnets import Subnets
from stackd.core.cloud import Cloud


class NetworkService(Discovery, Networks, Subnets, Ports, FloatingIPs, SecurityGroups, Quotas):
    """Every operation of the network API."""

    app: ClassVar[Klein] = routing.app
    render: ClassVar[Render] = staticmethod(faults.render)

    def __init__(self, cloud: Cloud) -> None:
        """``cloud`` has the use cases."""
        super().__init__(cloud.identity)
        self.cloud = cloud

    def resource(self) -> KleinResource:
        """The web resource to mount."""
        return self.app.resource()
