"""Who asks: the authenticated caller of a use case."""

from attrs import frozen

ADMIN = "admin"
MEMBER = "member"
READER = "reader"
IMAGE_READER = "image-reader"
"""Of hosts and other services: may see and read every image, and nothing else anywhere."""
ROLES = (ADMIN, MEMBER, READER, IMAGE_READER)


@frozen(kw_only=True)
class Caller:
    """An authenticated user acting in one project, with the id of the request.

    ``project_id`` is empty for an unscoped token; ``roles`` are those held in the project
    (``admin`` anywhere makes an admin of the cloud, as in Cactus' cloudadmin).
    ``request_id`` is ``req-`` and a dashed UUID; it is stored with every event the request causes.
    """

    user_id: str
    user_name: str
    project_id: str
    project_name: str
    roles: frozenset[str]
    request_id: str
    account: str = ""
    """The project's 12-digit EC2 account number."""
    application_credential_id: str = ""
    """Set when the caller came by an application credential, which may not make further credentials."""

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see and do everything."""
        return ADMIN in self.roles

    @property
    def reads_all_images(self) -> bool:
        """Whether every project's images are theirs to see and read."""
        return not self.roles.isdisjoint((ADMIN, IMAGE_READER))

    @property
    def is_service(self) -> bool:
        """Whether it is no person: one who holds nothing but a role of services."""
        return self.roles == {IMAGE_READER}
