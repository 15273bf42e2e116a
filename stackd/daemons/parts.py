"""The parts a process with a database is made of, each made when first asked for: every daemon takes the few it needs.

``stack-cloud`` takes all of them, a split daemon its own; there is one wiring for both. Hosts have ``plainparts`` only.
"""

from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from stackd.config.sections import LOCAL_IMAGES
from stackd.core.cloud import Cloud, assemble
from stackd.core.identity import Identity
from stackd.core.identity_passwords import password_hasher
from stackd.daemons.health import WITHIN, Check, Patient
from stackd.daemons.plainparts import METADATA_FILE, PlainParts
from stackd.daemons.secretfiles import given
from stackd.daemons.seeding import new_project, underlay
from stackd.drivers import loading
from stackd.imageservice.content import Content
from stackd.imageservice.registry import Registry
from stackd.imageservice.sharing import Sharing
from stackd.interfaces.identity import IIdentity
from stackd.interfaces.images import IImages
from stackd.interfaces.imageservice import ISharing, IUploads
from stackd.interfaces.imagestore import IImageStore
from stackd.model.ids import new_id
from stackd.rules.ownership import CONDUCTOR, SCHEDULER
from stackd.store import imagekeeping, schema, stamps
from stackd.store.database import Database
from stackd.store.engines import is_sqlite
from stackd.store.executors import ThreadExecutor

KEYS_FILE = "identity.keys"
OPERATOR_SOCKET = "operator.sock"


class Parts(PlainParts):
    """Parts of one process that has the database."""

    kept_reports = CONDUCTOR, SCHEDULER

    @cached_property
    def database(self) -> Database:
        """The database, its schema brought up to date."""
        section = self.config.database
        sqlite = is_sqlite(section.url)
        schema.upgrade(section.url)
        made = Database(
            section.url, self.reactor, ThreadExecutor(self.reactor, section.threads, "readers"),
            ThreadExecutor(self.reactor, 1 if sqlite else section.threads, "writers"), self.bus.wake, stamps.flush,
            section.threads, follow_time=True)
        self.metrics.watch(made)
        return made

    @cached_property
    def database_answers(self) -> Patient:
        """Whether the database answers; asked by whoever looks at this daemon's health."""
        async def look() -> str:
            await self.database.answer()
            return ""

        return Patient(self.reactor, look, WITHIN, f"The database did not answer within {WITHIN:g} s.")

    def checks(self) -> dict[str, Check]:
        """The database's, once it is in use."""
        return {"database": self.database_answers} if "database" in self.__dict__ else {}

    @cached_property
    def identity(self) -> Identity:
        """Who is who."""
        section = self.config.identity
        hasher = PasswordHasher.from_parameters(CHEAPEST) if section.password_cost == "cheap" else password_hasher()
        keys = given(self.state / KEYS_FILE).split()
        return loading.make("stackd.identities", section.driver, IIdentity,  # type: ignore[no-any-return]
                            self.database, self.reactor, keys, self.threads, token_lifetime=section.token_lifetime,
                            hasher=hasher, on_new_project=[new_project(self.config)])

    @cached_property
    def metadata_secret(self) -> bytes:
        """The one of all daemons that answer for the whole cloud; a host has its own."""
        return given(self.state / METADATA_FILE).strip().encode()

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
        """Images as core and hosts see them: of this cloud's own registry, or of a service elsewhere."""
        if self.config.image.driver != LOCAL_IMAGES:
            return super().images
        return loading.make("stackd.images", LOCAL_IMAGES, IImages, self.registry, self.content)  # type: ignore[no-any-return]

    @cached_property
    def core(self) -> Cloud:
        """All use cases."""
        return assemble(self.database, self.bus, self.images, self.identity, self.reactor, self.threads,
                        self.config.cloud.zones, self.config.hosts.gone, underlay(self.config))

    @property
    def operator_socket(self) -> Path:
        """Where the operator's commands are taken."""
        return self.state / OPERATOR_SOCKET

    def close(self) -> None:
        """Let go of the database, and of all else."""
        if "database" in self.__dict__:
            self.database.close()
        super().close()
