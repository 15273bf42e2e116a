"""The parts a process is made of, each made when first asked for: every daemon takes the few it needs.

``stack-cloud`` takes all of them, a split daemon its own; there is one wiring for both.
"""

import os
import secrets
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from cryptography.fernet import Fernet
from twisted.application.service import IService
from twisted.internet.defer import Deferred, maybeDeferred

from stackd import errors
from stackd.config.sections import LOCAL_IMAGES, MEMORY_BUS, Config
from stackd.core.cloud import Cloud, assemble
from stackd.core.identity import Identity
from stackd.core.identity_passwords import password_hasher
from stackd.daemons.health import WITHIN, Patient
from stackd.daemons.metrics import Metrics
from stackd.daemons.secretfiles import kept
from stackd.daemons.seeding import new_project, underlay
from stackd.drivers import loading
from stackd.imageservice.content import Content
from stackd.imageservice.registry import Registry
from stackd.imageservice.sharing import Sharing
from stackd.interfaces.bus import IMessageBus
from stackd.interfaces.identity import IIdentity
from stackd.interfaces.images import IConnected, IImages
from stackd.interfaces.imageservice import ISharing, IUploads
from stackd.interfaces.imagestore import IImageStore
from stackd.model.ids import new_id
from stackd.rules.ownership import CONDUCTOR, SCHEDULER
from stackd.store import imagekeeping, schema, stamps
from stackd.store.database import Database
from stackd.store.executors import ThreadExecutor

if TYPE_CHECKING:
    from stackd.daemons.prefork_monitor import Siblings

KEYS_FILE = "identity.keys"
METADATA_FILE = "metadata.secret"
OPERATOR_SOCKET = "operator.sock"


class Parts:
    """Parts of one process, sharing one reactor and one configuration."""

    kept_reports: tuple[str, ...] = (CONDUCTOR, SCHEDULER)
    """Addresses whose queues of reports this process declares at the broker."""
    adopted: Mapping[int, int] = {}
    """Open sockets to listen on by their ports, where a master has bound them."""
    monitor_socket: str = ""
    """Where a worker of several tells its master how it is."""
    siblings: "Siblings | None" = None
    """Asks all workers of the master how they are, where there is one."""

    def __init__(self, reactor: Any, config: Config) -> None:
        """Nothing is opened yet."""
        self.reactor = reactor
        self.config = config
        self.random: Random = SystemRandom()
        self.state = Path(config.cloud.state)
        self.metrics = Metrics()

    @cached_property
    def threads(self) -> ThreadExecutor:
        """For hashing, key making and files."""
        return ThreadExecutor(self.reactor, 4, "work")

    @cached_property
    def bus(self) -> IMessageBus:
        """The message bus; one that has to be started is a service, which :meth:`start` and :meth:`stop` care for."""
        section = self.config.bus
        arguments = () if section.driver == MEMORY_BUS else (section, self.kept_reports)
        made: IMessageBus = loading.make("stackd.buses", section.driver, IMessageBus, self.reactor, *arguments)
        self.metrics.watch(made)
        return made

    @cached_property
    def database(self) -> Database:
        """The database, its schema brought up to date."""
        section = self.config.database
        sqlite = section.url.startswith("sqlite")
        if sqlite:
            _private(section.url)
        schema.upgrade(section.url)
        made = Database(
            section.url, self.reactor, ThreadExecutor(self.reactor, section.threads, "readers"),
            ThreadExecutor(self.reactor, 1 if sqlite else section.threads, "writers"), self.bus.wake, stamps.flush,
            section.threads)
        self.metrics.watch(made)
        return made

    @cached_property
    def database_answers(self) -> Patient:
        """Whether the database answers; asked by whoever looks at this daemon's health."""
        async def look() -> str:
            await self.database.answer()
            return ""

        return Patient(self.reactor, look, WITHIN, f"The database did not answer within {WITHIN:g} s.")

    @cached_property
    def identity(self) -> Identity:
        """Who is who."""
        section = self.config.identity
        hasher = PasswordHasher.from_parameters(CHEAPEST) if section.password_cost == "cheap" else password_hasher()
        return Identity(self.database, self.reactor, _fernet_keys(self.state / KEYS_FILE), self.threads,
                        token_lifetime=section.token_lifetime, hasher=hasher,
                        on_new_project=[new_project(self.config)])

    @cached_property
    def registry(self) -> IUploads:
        """The owner of image metadata; here, or at the other end of the bus."""
        return self.own_registry

    @cached_property
    def own_registry(self) -> Registry:
        """The owner of image metadata on this process' database."""
        async def needed(ids: Collection[str]) -> Collection[str]:
            return await self.database.read(imagekeeping.needed, ids)

        return Registry(self.database, keepers=needed)

    @cached_property
    def sharing(self) -> ISharing:
        """Who shares which image."""
        return Sharing(self.database)

    @cached_property
    def callers(self) -> IIdentity:
        """Who is who for the image API, which may be without a database."""
        return self.identity

    @cached_property
    def store(self) -> IImageStore:
        """Where image bytes are."""
        section = self.config.image
        arguments = (section.folder, self._in_thread, new_id) if section.store == "files" else ()
        return loading.make("stackd.imagestores", section.store, IImageStore, *arguments)  # type: ignore[no-any-return]

    @cached_property
    def content(self) -> Content:
        """Image bytes on their way in and out."""
        return Content(self.registry, self.store, self.reactor, self._in_thread, self.config.image.largest)

    @cached_property
    def images(self) -> IImages:
        """Images as core and hosts see them."""
        section = self.config.image
        arguments = (self.registry, self.content) if section.driver == LOCAL_IMAGES else (self.reactor, section)
        return loading.make("stackd.images", section.driver, IImages, *arguments)  # type: ignore[no-any-return]

    @cached_property
    def core(self) -> Cloud:
        """All use cases."""
        return assemble(self.database, self.bus, self.images, self.identity, self.reactor, self.threads,
                        self.config.cloud.zones, self.config.hosts.gone, underlay(self.config))

    @cached_property
    def metadata_secret(self) -> bytes:
        """Signs metadata tokens and the requests of metadata proxies."""
        return kept(self.state / METADATA_FILE, lambda: secrets.token_hex(32)).strip().encode()

    @property
    def operator_socket(self) -> Path:
        """Where the operator's commands are taken."""
        return self.state / OPERATOR_SOCKET

    def _in_thread(self, fn: Any, *args: Any) -> "Deferred[Any]":
        return self.threads.run(fn, *args)

    def start(self) -> None:
        """Start what has to be started before those who use it."""
        if IService.providedBy(self.bus):
            IService(self.bus).startService()

    async def stop(self) -> None:
        """Stop the bus, then let go of threads and connections of the parts that were made."""
        made = self.__dict__
        if "bus" in made and IService.providedBy(self.bus):
            await maybeDeferred(IService(self.bus).stopService)
        if "images" in made and IConnected.providedBy(self.images):
            IConnected(self.images).close()
        if "database" in made:
            self.database.close()
        if "threads" in made:
            self.threads.stop()


class HostParts(Parts):
    """Parts of a host's daemon, which has no database: whoever breaks into a host must not own the cloud."""

    kept_reports = ()

    @cached_property
    def database(self) -> Database:
        """There is none."""
        raise errors.BadConfiguration("A host's daemon has no database, so images cannot be local to it.",
                                      remedy='Set driver = "http" in [image], and its url, auth_url and user.')


def _private(url: str) -> None:
    """Make the file of a sqlite database its owner's alone; what sqlite makes beside it is then so, too."""
    path = Path(url.removeprefix("sqlite:///"))
    if path.parent.is_dir():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)


def _fernet_keys(path: Path) -> list[str]:
    """The keys of tokens and secrets, newest first; made when there are none."""
    return kept(path, lambda: Fernet.generate_key().decode()).split()
