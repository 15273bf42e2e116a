"""``stack-image``: the image API and its bytes, without a database: ``stack-registry`` tells it of images."""

from functools import cached_property

from stackd.daemons.endpoints import image_services
from stackd.daemons.parts import Parts
from stackd.daemons.split import DaemonService, Options, daemon
from stackd.imageservice.remote import RemoteIdentity, RemoteRegistry, RemoteSharing
from stackd.interfaces.identity import IIdentity
from stackd.interfaces.imageservice import ISharing, IUploads

__all__ = ["Options", "makeService"]


class ImageParts(Parts):
    """What others take from the database is asked over the bus."""

    @cached_property
    def registry(self) -> IUploads:
        """The one at the other end of the bus."""
        return RemoteRegistry(self.bus)

    @cached_property
    def sharing(self) -> ISharing:
        """Likewise."""
        return RemoteSharing(self.bus)

    @cached_property
    def callers(self) -> IIdentity:
        """Likewise."""
        return RemoteIdentity(self.bus)


def makeService(options: Options) -> DaemonService:
    """The service ``twistd`` runs."""
    return daemon(options, image_services, ImageParts)
