"""A whole image service in memory, and callers for it: what tests of images and of their API build on."""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock

from stackd.drivers.imagestores.memory import MemoryImageStore
from stackd.imageservice.catalogue import Catalogue
from stackd.imageservice.content import Content
from stackd.imageservice.registry import Registry
from stackd.imageservice.sharing import Sharing
from stackd.model import ids
from stackd.model.callers import Caller
from stackd.store.database import Database
from stackd.testing.databases import memory_database


def caller(name: str, project: str = "", *roles: str) -> Caller:
    """A member, or the holder of ``roles``, of the project whose id is ``project`` filled up to 32 digits."""
    project_id = (project or name).encode().hex().ljust(32, "0")[:32]
    return Caller(user_id=name.encode().hex().ljust(32, "0")[:32], user_name=name, project_id=project_id,
                  project_name=project or name, roles=frozenset(roles or ("member",)), request_id="req-test")


@frozen
class ImageCloud:
    """The parts of one image service."""

    clock: Clock
    database: Database
    store: Any
    registry: Registry
    sharing: Sharing
    content: Content
    catalogue: Catalogue


def image_cloud(store: Any = None, max_size: int = 1 << 20, new_id: Callable[[], str] = ids.new_id,
                in_thread: Callable[..., Awaitable[Any]] = maybeDeferred) -> ImageCloud:
    """A new image service with its clock at 1,000,000."""
    clock = Clock()
    clock.advance(1_000_000)
    database = memory_database(clock)
    store = MemoryImageStore() if store is None else store
    registry = Registry(database, new_id)
    content = Content(registry, store, clock, in_thread, max_size)
    return ImageCloud(clock, database, store, registry, Sharing(database), content, Catalogue(registry, content))
