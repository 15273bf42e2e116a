"""A listening image service with an identity service beside it, as another cloud has them: for tests of clients."""

from typing import Any

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from attrs import evolve, frozen
from twisted.internet.defer import maybeDeferred
from twisted.web.resource import Resource

from stackd.api.openstack.identity.catalog import Catalog
from stackd.api.openstack.identity.service import IdentityService
from stackd.api.openstack.image.service import ImageService
from stackd.api.openstack.streaming import StreamSite
from stackd.config import sections
from stackd.core.identity import Identity
from stackd.core.identity_tokens import new_key
from stackd.model.callers import IMAGE_READER
from stackd.model.identities import Bootstrapped, User
from stackd.model.images import Image, NewImage, Visibility
from stackd.model.paging import PageRequest
from stackd.store.executors import InlineExecutor
from stackd.testing.contracts.imagestore import blocks_of
from stackd.testing.images import ImageCloud, caller, image_cloud

ADMIN = caller("root", "ops", "admin")


class _Foreign(Resource):
    """The site as of a service that has none of our own filters: they are taken for properties of users."""

    def __init__(self, root: Resource) -> None:
        super().__init__()
        self._root = root

    def getChild(self, path: Any, request: Any) -> Any:
        for name in (b"viewer=", b"id_from=", b"id_to="):
            request.uri = request.uri.replace(name, b"unknown_" + name)
        return self._root.getChildWithDefault(path, request)


@frozen
class ImageApi:
    """One on a free port; ``asked`` grows by ``METHOD path?query`` of each request."""

    cloud: ImageCloud
    identity: Identity
    made: Bootstrapped
    port: Any
    asked: list[str]

    @property
    def section(self) -> sections.Image:
        """The configuration of a client that logs in as a user who may read images and do nothing else."""
        base = f"http://127.0.0.1:{self.port.getHost().port}"
        return sections.Image(driver="http", url=f"{base}/image", auth_url=f"{base}/identity/v3", user="services",
                              password="services-secret", project="demo", timeout=5.0)

    async def publish(self, name: str, visibility: Visibility, content: bytes, owner: str, **fields: Any) -> Image:
        """An ACTIVE image of that project, a second after the last one."""
        self.cloud.clock.advance(1)
        image = await self.cloud.registry.create(ADMIN, NewImage(
            name=name, visibility=visibility, owner=owner, disk_format="raw", container_format="bare", **fields))
        return await self.cloud.content.upload(ADMIN, image.id, blocks_of(content))

    async def stop(self) -> None:
        """Listen no more."""
        await maybeDeferred(self.port.stopListening)


async def _image_reader(identity: Identity, made: Bootstrapped) -> None:
    user = await identity.users.create(ADMIN, User(id="", name="services"), "services-secret")
    roles = await identity.roles.list(ADMIN, PageRequest(), name=IMAGE_READER)
    await identity.roles.grant(ADMIN, user.id, made.demo.project.id, roles.items[0].id)


async def image_api(reactor: Any, foreign: bool = False, store: Any = None, max_size: int = 64 << 20) -> ImageApi:
    """A new cloud's; ``foreign`` without the filters that only our image API has; bytes in memory, or in ``store``."""
    cloud = image_cloud(store, max_size=max_size)
    identity = Identity(cloud.database, cloud.clock, [new_key()], InlineExecutor(),
                        hasher=PasswordHasher.from_parameters(CHEAPEST))
    made = await identity.bootstrap("admin-secret", "demo-secret")
    await _image_reader(identity, made)
    root = Resource()
    root.putChild(b"identity", IdentityService(identity, Catalog("http://127.0.0.1", "us-east-1")).resource())
    root.putChild(b"image", ImageService(identity, cloud.registry, cloud.sharing, cloud.content).resource())
    asked: list[str] = []
    site = _Noted(_Foreign(root) if foreign else root, asked)
    return ImageApi(cloud, identity, made, reactor.listenTCP(0, site, interface="127.0.0.1"), asked)


class _Noted(StreamSite):
    def __init__(self, root: Resource, asked: list[str]) -> None:
        super().__init__(root)
        self._asked = asked

    def getResourceFor(self, request: Any) -> Any:
        self._asked.append(f"{request.method.decode()} {request.uri.decode()}")
        return super().getResourceFor(request)


def with_credential(section: sections.Image, id: str, secret: str) -> sections.Image:
    """The configuration of a client that logs in by an application credential."""
    return evolve(section, user="", password="", project="", application_credential_id=id,
                  application_credential_secret=secret)
