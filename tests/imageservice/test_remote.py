"""The registry passes one suite in the same process and over the bus; what is lost on the way is told clearly."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.imageservice.content import Content
from stackd.imageservice.endpoint import RegistryEndpoint, RegistryService
from stackd.imageservice.remote import RemoteIdentity, RemoteRegistry, RemoteSharing
from stackd.imageservice.sweeping import Sweep
from stackd.interfaces.identity import IIdentity
from stackd.model import wire
from stackd.model.callers import Caller
from stackd.model.images import Image, ImageQuery, ImageStatus, NewImage
from stackd.testing.contracts.imagestore import blocks_of, broken_after, gather
from stackd.testing.contracts.registry import STORED, RegistryContract
from stackd.testing.images import ImageCloud, caller, image_cloud

ALICE = caller("alice", "red")
BOB = caller("bob", "blue")
ROOT = caller("root", "ops", "admin")
awaiting = pytest_twisted.ensureDeferred
ORPHAN = "f" * 32 + ".0000abcd"


@implementer(IIdentity)
class OneToken:
    """Knows one token."""

    async def caller_of_token(self, token: str, request_id: str) -> Caller:
        if token != "good":
            raise errors.NotAuthenticated("The token is not valid.")
        return evolve(ALICE, request_id=request_id)

    async def access_key(self, access: str) -> Any:
        raise errors.UnknownAccessKey("There are none.")

    async def caller_of_key(self, key: Any, request_id: str) -> Any:
        raise errors.NotAuthenticated("There are none.")


@pytest.fixture
def cloud() -> ImageCloud:
    return image_cloud()


@pytest_twisted.async_yield_fixture
async def bus(cloud: ImageCloud) -> AsyncIterator[MemoryBus]:
    """With the registry at its address."""
    bus = MemoryBus(reactor)
    service = RegistryService(bus, RegistryEndpoint(cloud.registry, cloud.sharing, OneToken()))
    service.startService()
    yield bus
    await service.stopService()


class Callers(RegistryContract):
    @pytest.fixture
    def owner(self) -> Caller:
        return ALICE

    @pytest.fixture
    def stranger(self) -> Caller:
        return BOB

    @pytest.fixture
    def admin(self) -> Caller:
        return ROOT


class TestLocal(Callers):
    @pytest.fixture
    def registry(self, cloud: ImageCloud) -> Any:
        return cloud.registry

    @pytest.fixture
    def sharing(self, cloud: ImageCloud) -> Any:
        return cloud.sharing


class TestRemote(Callers):
    @pytest.fixture
    def registry(self, bus: MemoryBus) -> Any:
        return RemoteRegistry(bus)

    @pytest.fixture
    def sharing(self, bus: MemoryBus) -> Any:
        return RemoteSharing(bus)


async def queued(registry: Any) -> Image:
    made: Image = await registry.create(ALICE, NewImage(name="x", disk_format="raw", container_format="bare"))
    return made


@awaiting
async def test_bytes_are_kept_without_a_database(cloud: ImageCloud, bus: MemoryBus) -> None:
    """Upload, download, delete and sweep."""
    registry = RemoteRegistry(bus)
    content = Content(registry, cloud.store, cloud.clock, run_here)
    image = await queued(registry)
    assert (await content.upload(ALICE, image.id, blocks_of(b"the ", b"bytes"))).status is ImageStatus.ACTIVE
    assert await gather(content.read(image.id)) == b"the bytes"
    await registry.delete(ALICE, image.id)
    cloud.clock.advance(101)
    await cloud.store.write(ORPHAN, blocks_of(b"x"))
    assert await Sweep(registry, cloud.store, grace=100).once() == 2
    assert await cloud.store.keys() == ()


async def run_here(function: Any, *arguments: Any) -> Any:
    """As a thread would."""
    return function(*arguments)


@awaiting
async def test_two_changes_at_once_lose_nothing(cloud: ImageCloud, bus: MemoryBus) -> None:
    """The slower one is made anew."""
    registry = RemoteRegistry(bus)
    image = await queued(registry)
    seen: list[str] = []

    def add(now: Image) -> Image:
        if not seen:
            interfere(cloud, image.id)
        seen.append(now.name)
        return evolve(now, tags=("mine",))

    after = await registry.update(ALICE, image.id, add)
    assert (after.name, after.tags, seen) == ("theirs", ("mine",), ["x", "theirs"])


def interfere(cloud: ImageCloud, id: str) -> None:
    """Somebody else renames the image now."""
    pending = cloud.registry.update(ALICE, id, lambda now: evolve(now, name="theirs"))
    with pytest.raises(StopIteration):
        pending.send(None)


@awaiting
async def test_who_never_comes_to_an_end_is_told(bus: MemoryBus, cloud: ImageCloud) -> None:
    """After some tries."""
    registry = RemoteRegistry(bus)
    image = await queued(registry)
    numbers = iter(range(100))

    def never(now: Image) -> Image:
        cloud_change = cloud.registry.update(ALICE, image.id, lambda it: evolve(it, name=f"n{next(numbers)}"))
        with pytest.raises(StopIteration):
            cloud_change.send(None)
        return now

    with pytest.raises(errors.ConcurrentUpdate):
        await registry.update(ALICE, image.id, never)


@awaiting
async def test_a_page_that_is_too_large_for_a_message_comes_in_parts(cloud: ImageCloud, bus: MemoryBus) -> None:
    """And says that there is more."""
    poem = "\1" * 10_000  # six bytes each in JSON
    made = [(await cloud.registry.create(ALICE, NewImage(name="x", properties={"poem": poem}))).id for _ in range(150)]
    seen: list[str] = []
    more = True
    while more:
        page = await RemoteRegistry(bus).list(ALICE, ImageQuery(marker=seen[-1] if seen else None))
        assert len(page) < 150
        seen += [image.id for image in page]
        more = page.more
    assert sorted(seen) == sorted(made)


@awaiting
async def test_tokens_are_looked_up_by_the_registry(bus: MemoryBus) -> None:
    identity = RemoteIdentity(bus)
    assert verifyObject(IIdentity, identity)
    assert await identity.caller_of_token("good", "req-7") == evolve(ALICE, request_id="req-7")
    with pytest.raises(errors.NotAuthenticated):
        await identity.caller_of_token("bad", "req-7")
    with pytest.raises(errors.UnknownAccessKey):
        await identity.access_key("AKIA")


@awaiting
async def test_without_a_registry_users_are_told_so() -> None:
    """And may try again."""
    with pytest.raises(errors.Unavailable, match="registry of the image service does not answer.*again"):
        await RemoteRegistry(MemoryBus(reactor)).show(ALICE, "0" * 32)


def test_a_registry_that_is_silent_is_not_waited_for() -> None:
    """Longer than its patience."""
    clock = Clock()
    bus = MemoryBus(clock)

    class Silent(RegistryEndpoint):
        def __init__(self) -> None:
            self.calls = {"image.show": self._silent}

        async def _silent(self, body: Any) -> Any:
            await Deferred()

    ensureDeferred(bus.serve("registry", Silent()))
    asked = ensureDeferred(RemoteRegistry(bus, patience=5).show(ALICE, "0" * 32))
    found: list[Any] = []
    asked.addErrback(lambda failure: found.append(failure.value))
    clock.pump([0, 0, 4.9])
    assert not found
    clock.advance(0.2)
    assert isinstance(found[0], errors.Unavailable)


class Restarting(RegistryEndpoint):
    """Fails a call so many times before it answers."""

    def __init__(self, cloud: ImageCloud, **failures: int) -> None:
        super().__init__(cloud.registry, cloud.sharing, OneToken())
        self._failures = failures
        self.calls |= {f"image.{name}": self._failing(name, self.calls[f"image.{name}"]) for name in failures}

    def _failing(self, name: str, answer: Any) -> Any:
        async def ask(body: Any) -> Any:
            if self._failures[name]:
                self._failures[name] -= 1
                raise errors.DatabaseUnavailable("The database does not answer.")
            return await answer(body)

        return ask


async def uploaded(cloud: ImageCloud, image: Image, blocks: AsyncIterator[bytes], **failures: int) -> Image:
    """The image whose bytes were uploaded with a registry that fails so many times."""
    bus = MemoryBus(cloud.clock)
    ensureDeferred(bus.serve("registry", Restarting(cloud, **failures)))
    content = Content(RemoteRegistry(bus), cloud.store, cloud.clock, run_here)
    upload = ensureDeferred(content.upload(ALICE, image.id, blocks))
    cloud.clock.pump([0.1] * 200)
    assert upload.called
    return await upload


async def slow(cloud: ImageCloud) -> AsyncIterator[bytes]:
    """So slow that the registry is told of progress after each block."""
    for block in (b"the ", b"bytes"):
        cloud.clock.advance(31)
        yield block


class DyingAtBegin(RemoteRegistry):
    """A registry that is killed between its commit and its answer, and started again."""

    async def begin_upload(self, caller: Any, image_id: str, key: str | None = None) -> Any:
        await super().begin_upload(caller, image_id, key)
        raise errors.Unavailable("The registry of the image service does not answer.")


@awaiting
async def test_an_upload_that_began_unheard_can_be_repeated_at_once(cloud: ImageCloud, bus: MemoryBus) -> None:
    """Who uploads is told to try again, and the image waits for it."""
    image = await queued(cloud.registry)
    with pytest.raises(errors.Unavailable):
        await Content(DyingAtBegin(bus), cloud.store, cloud.clock, run_here).upload(ALICE, image.id, blocks_of(b"x"))
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.QUEUED
    again = Content(RemoteRegistry(bus), cloud.store, cloud.clock, run_here)
    assert (await again.upload(ALICE, image.id, blocks_of(b"x"))).status is ImageStatus.ACTIVE


@awaiting
async def test_an_image_service_of_the_release_before_uploads(cloud: ImageCloud, bus: MemoryBus) -> None:
    """It names no key, and takes the one it is given."""
    image = await queued(cloud.registry)
    begun = await bus.call("registry", "image.begin_upload", {"caller": wire.dump(ALICE), "image_id": image.id}, 5)
    _, key = wire.load(tuple[Image, str], begun)
    assert (await cloud.registry.finish_upload(image.id, key, STORED)).status is ImageStatus.ACTIVE


@awaiting
async def test_a_registry_of_the_release_before_chooses_the_key(cloud: ImageCloud) -> None:
    """The bytes are kept under that."""
    class Before(RegistryEndpoint):
        def __init__(self) -> None:
            super().__init__(cloud.registry, cloud.sharing, OneToken())
            self.calls["image.begin_upload"] = self._begin

        async def _begin(self, body: Any) -> Any:
            return wire.dump(await cloud.registry.begin_upload(ALICE, body["image_id"]))

    image = await queued(cloud.registry)
    bus = MemoryBus(reactor)
    await bus.serve("registry", Before())
    await Content(RemoteRegistry(bus), cloud.store, cloud.clock, run_here).upload(ALICE, image.id, blocks_of(b"x"))
    assert await gather(cloud.content.read(image.id)) == b"x"


@awaiting
async def test_a_registry_that_restarts_does_not_end_an_upload(cloud: ImageCloud) -> None:
    """Neither under way nor when it is done."""
    image = await queued(cloud.registry)
    done = await uploaded(cloud, image, slow(cloud), still_uploading=1, finish_upload=1)
    assert (done.status, await gather(cloud.content.read(image.id))) == (ImageStatus.ACTIVE, b"the bytes")


@awaiting
async def test_a_broken_upload_is_given_up_when_the_registry_is_back(cloud: ImageCloud) -> None:
    """The image can be uploaded anew."""
    image = await queued(cloud.registry)
    with pytest.raises(ConnectionResetError):
        await uploaded(cloud, image, broken_after(b"half"), give_up_upload=4)
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.QUEUED


@awaiting
async def test_who_uploads_is_told_when_the_registry_stays_away(cloud: ImageCloud) -> None:
    """And no bytes are left."""
    with pytest.raises(errors.Unavailable):
        await uploaded(cloud, await queued(cloud.registry), blocks_of(b"x"), finish_upload=5)
    assert await cloud.store.keys() == ()


def test_a_registry_that_never_reached_a_broker_can_be_stopped(cloud: ImageCloud) -> None:
    class Unreached(MemoryBus):
        async def serve(self, address: str, endpoint: Any) -> Any:
            await Deferred()

    service = RegistryService(Unreached(Clock()), RegistryEndpoint(cloud.registry, cloud.sharing, OneToken()))
    service.startService()
    assert service.stopService().called
