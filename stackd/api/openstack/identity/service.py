"""The identity API, Keystone's version 3, as one web resource. The API daemon mounts it at ``/identity``."""

from typing import ClassVar

from klein import Klein
from klein.resource import KleinResource

from stackd.api.openstack import faults
from stackd.api.openstack.identity import routing
from stackd.api.openstack.identity.catalog import Catalog
from stackd.api.openstack.identity.credentials import AccessKeys, ApplicationCredentials
from stackd.api.openstack.identity.discovery import Discovery
from stackd.api.openstack.identity.fixtures import Fixtures
from stackd.api.openstack.identity.projects import Projects
from stackd.api.openstack.identity.roles import Roles
from stackd.api.openstack.identity.tokens import Tokens
from stackd.api.openstack.identity.users import Users
from stackd.core.identity import Identity


class IdentityService(Discovery, Tokens, Projects, Users, Roles, AccessKeys, ApplicationCredentials, Fixtures):
    """Every operation of the identity API."""

    app: ClassVar[Klein] = routing.app
    render: ClassVar[faults.Render] = staticmethod(faults.identity)

    def __init__(self, identity: Identity, catalog: Catalog) -> None:
        """``identity`` answers everything; ``catalog`` is shown in tokens."""
        super().__init__(identity)
        self.identity: Identity = identity
        self.catalog = catalog

    def resource(self) -> KleinResource:
        """The web resource to mount."""
        return self.app.resource()  # type: ignore[no-any-return]
