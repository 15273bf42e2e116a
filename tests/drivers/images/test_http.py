"""The driver ``http`` passes the suite of all providers of images, over our own service and over a foreign one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from stackd import errors
from stackd.config import sections
from stackd.drivers.images.http import HttpImages
from stackd.drivers.imagestores.files import FileImageStore
from stackd.model.identities import ApplicationCredential, Login, UserLogin
from stackd.model.ids import new_id
from stackd.model.images import Image, MemberStatus, Visibility
from stackd.model.paging import PageRequest
from stackd.testing.contracts.images import ImagesContract, Publish
from stackd.testing.contracts.imagestore import gather
from stackd.testing.imageapi import ImageApi, image_api, with_credential
from stackd.testing.images import caller

ALICE = caller("alice", "red")
BOB = caller("bob", "blue")
ROOT = caller("root", "ops", "admin")
awaiting = pytest_twisted.ensureDeferred


@pytest_twisted.async_yield_fixture(params=["ours", "foreign"])
async def api(request: Any) -> AsyncIterator[ImageApi]:
    """An image service with our filters, and one without."""
    serving = await image_api(reactor, foreign=request.param == "foreign")
    yield serving
    await serving.stop()


@pytest_twisted.async_yield_fixture
async def images(api: ImageApi) -> AsyncIterator[Any]:
    """Its client."""
    client = HttpImages(reactor, api.section)
    yield client
    await client.close()


class TestHttpImages(ImagesContract):
    @pytest.fixture
    def owner(self) -> Any:
        return ALICE

    @pytest.fixture
    def stranger(self) -> Any:
        return BOB

    @pytest.fixture
    def publish(self, api: ImageApi, owner: Any) -> Publish:
        async def publish(name: str, visibility: Visibility, content: bytes) -> Image:
            return await api.publish(name, visibility, content, owner.project_id)
        return publish


@awaiting
async def test_shared_images_are_seen_by_their_members(api: ImageApi, images: HttpImages) -> None:
    """By id and by the beginning of the id; in lists where the service can tell whom they were shared with."""
    made = await api.publish("shared", Visibility.SHARED, b"x", ALICE.project_id)
    prefix = made.id[:17]
    for ask in (images.show(BOB, made.id), images.find(BOB, prefix.ljust(32, "0"), prefix.ljust(32, "f"))):
        with pytest.raises(errors.NotFound):
            await ask
    await api.cloud.sharing.add(ALICE, made.id, BOB.project_id)
    assert (await images.show(BOB, made.id)).name == "shared"
    assert (await images.find(BOB, prefix.ljust(32, "0"), prefix.ljust(32, "f"))).id == made.id
    await api.cloud.sharing.answer(BOB, made.id, BOB.project_id, MemberStatus.ACCEPTED)
    ours = "id_from" in " ".join(api.asked) and not images._foreign
    assert [image.id for image in await images.list(BOB, PageRequest())] == ([made.id] if ours else [])


@awaiting
async def test_administrators_see_all(api: ImageApi, images: HttpImages) -> None:
    """Also private images of others."""
    made = await api.publish("mine", Visibility.PRIVATE, b"x", ALICE.project_id)
    assert (await images.show(ROOT, made.id)).owner == ALICE.project_id
    assert [image.id for image in await images.list(ROOT, PageRequest())] == [made.id]


@awaiting
async def test_pages_of_public_and_own_images_meet_each_once(api: ImageApi, images: HttpImages) -> None:
    """Whatever their order of age, and in both directions."""
    made = [(await api.publish(str(number), Visibility.PUBLIC if number % 3 else Visibility.PRIVATE, b"x",
                               (BOB if number % 2 else ALICE).project_id)) for number in range(13)]
    expected = [image.id for image in made if image.visibility is Visibility.PUBLIC or image.owner == BOB.project_id]
    for reverse in (True, False):
        seen: list[str] = []
        more = True
        while more:
            page = await images.list(BOB, PageRequest(limit=3, marker=seen[-1] if seen else None, reverse=reverse))
            seen += [image.id for image in page]
            more = page.more
        assert seen == (expected if reverse else expected[::-1])


@awaiting
async def test_a_marker_must_name_an_image(images: HttpImages) -> None:
    with pytest.raises(errors.InvalidMarker):
        await images.list(ALICE, PageRequest(marker="0" * 32))


@awaiting
async def test_every_field_arrives(api: ImageApi, images: HttpImages) -> None:
    """As the other service has it; times to the second."""
    made = await api.publish("all", Visibility.PUBLIC, b"content", ALICE.project_id, min_disk=2, min_ram=64,
                             tags=("a", "b"), properties={"os_distro": "x", "kernel_id": "y"}, protected=True)
    assert await images.show(BOB, made.id) == made
    hidden = await api.publish("hidden", Visibility.PUBLIC, b"x", ALICE.project_id, hidden=True)
    prefix = hidden.id[:17]
    assert (await images.find(BOB, prefix.ljust(32, "0"), prefix.ljust(32, "f"))) == hidden


@awaiting
async def test_finding_costs_little(api: ImageApi, images: HttpImages) -> None:
    """One question where the service has the filter; elsewhere none more than showing, once the image was met."""
    made = [await api.publish(str(number), Visibility.PUBLIC, b"x", ALICE.project_id) for number in range(5)]
    low, high = made[2].id[:17].ljust(32, "0"), made[2].id[:17].ljust(32, "f")
    await images.find(BOB, low, high)
    del api.asked[:]
    assert (await images.find(BOB, low, high)).id == made[2].id
    assert len(api.asked) == 1
    with pytest.raises(errors.NotFound):
        await images.find(BOB, "0" * 32, "0" * 17 + "f" * 15)


@awaiting
async def test_large_bytes_arrive_in_blocks(api: ImageApi, images: HttpImages) -> None:
    """More than is ever held at once."""
    content = bytes(range(256)) * (11 << 12)
    made = await api.publish("large", Visibility.PRIVATE, content, ALICE.project_id)
    assert await gather(images.read(made.id)) == content


@awaiting
async def test_bytes_of_a_deleted_image_are_there_for_hosts_until_they_are_swept(
        api: ImageApi, images: HttpImages) -> None:
    """Launches that were accepted are built. For users there is no image, and no bytes."""
    made = await api.publish("gone", Visibility.PUBLIC, b"bytes", ALICE.project_id)
    await api.cloud.registry.delete(ROOT, made.id)
    assert await gather(images.read(made.id)) == b"bytes"
    with pytest.raises(errors.NotFound):
        await images.show(ALICE, made.id)
    with pytest.raises(errors.NotFound):
        await api.cloud.content.for_download(ALICE, made.id)
    demo = HttpImages(reactor, evolve(api.section, user="demo", password="demo-secret"))
    with pytest.raises(errors.ImageVanished):
        await gather(demo.read(made.id))
    await demo.close()
    await api.cloud.registry.forget_bytes(made.id)
    with pytest.raises(errors.ImageVanished):
        await gather(images.read(made.id))


@awaiting
async def test_a_token_is_used_until_shortly_before_its_end(api: ImageApi) -> None:
    """Also when the service forgot it, or ends it early: then once more with a new one."""
    clock = api.cloud.clock
    images = HttpImages(reactor, api.section)
    made = await api.publish("x", Visibility.PUBLIC, b"x", ALICE.project_id)
    for _ in range(3):
        await images.show(ALICE, made.id)
    assert sum("auth/tokens" in asked for asked in api.asked) == 1
    clock.advance(1_000_000)
    await images.show(ALICE, made.id)
    assert sum("auth/tokens" in asked for asked in api.asked) == 2
    await images.close()


@awaiting
async def test_an_application_credential_will_do(api: ImageApi) -> None:
    """Without a user's password in the configuration."""
    admin = await api.identity.caller_of_token((await api.identity.authenticate(Login(
        user=UserLogin(name="admin"), password="admin-secret"))).text, "req-1")
    made = await api.identity.application_credentials.create(admin, ApplicationCredential(
        id="", user_id=admin.user_id, project_id=admin.project_id, name="images", roles=()))
    images = HttpImages(reactor, with_credential(api.section, made.id, made.secret))
    image = await api.publish("x", Visibility.PRIVATE, b"x", ALICE.project_id)
    assert (await images.show(ALICE, image.id)).name == "x"
    await images.close()


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"user": "demo", "password": "demo-secret",
                                                            "project": "demo"}])
@awaiting
async def test_a_service_user_that_is_not_enough(api: ImageApi, change: Any) -> None:
    """Is the operator's matter; users are told that much, or find nothing."""
    images = HttpImages(reactor, evolve(api.section, **change))
    image = await api.publish("x", Visibility.PRIVATE, b"x", ALICE.project_id)
    with pytest.raises((errors.Unavailable, errors.NotFound)) as raised:
        await images.show(ALICE, image.id)
    assert "secret" not in str(raised.value)
    await images.close()


@awaiting
async def test_a_service_that_is_away_and_comes_back(api: ImageApi) -> None:
    """Is unavailable by its name, then works again."""
    port = api.port.getHost().port
    images = HttpImages(reactor, api.section)
    image = await api.publish("x", Visibility.PUBLIC, b"x", ALICE.project_id)
    await images.show(ALICE, image.id)
    await api.stop()
    await images.close()
    for ask in (images.show(ALICE, image.id), images.list(ALICE, PageRequest())):
        with pytest.raises(errors.Unavailable, match=f"image service at .*{port}.* cannot be used now.*again"):
            await ask
    with pytest.raises(errors.TransientFailure):
        await gather(images.read(image.id))
    again = reactor.listenTCP(port, api.port.factory, interface="127.0.0.1")
    assert (await images.show(ALICE, image.id)).id == image.id
    await images.close()
    await again.stopListening()


@awaiting
async def test_bytes_from_files_that_threads_read(tmp_path: Path) -> None:
    """The service waits for its disk before it has the first of them."""
    api = await image_api(reactor, store=FileImageStore(str(tmp_path), deferToThread, new_id))
    images = HttpImages(reactor, api.section)
    content = bytes(range(256)) * 20_000
    made = await api.publish("x", Visibility.PRIVATE, content, ALICE.project_id)
    assert await gather(images.read(made.id)) == content
    await images.close()
    await api.stop()


def test_settings_that_cannot_work_are_told_at_once() -> None:
    """Every one that is missing."""
    with pytest.raises(errors.BadConfiguration, match=r"image.url, image.auth_url, image.user, image.password"):
        HttpImages(reactor, sections.Image())
    with pytest.raises(errors.BadConfiguration, match="ca_file"):
        HttpImages(reactor, sections.Image(url="https://x/image", auth_url="https://x/v3", user="u", password="p",
                                           project="p", ca_file="/nonexistent"))


def test_secrets_are_not_in_what_logs_show() -> None:
    """Of the section."""
    assert "hidden" not in repr(sections.Image(password="hidden", application_credential_secret="hidden"))
