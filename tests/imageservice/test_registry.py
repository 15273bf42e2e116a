"""The registry: who sees which image, lists and pages, and the guarded steps of an image's life."""

from typing import Any

import orjson
import pytest
import pytest_twisted
from attrs import evolve

from stackd import errors
from stackd.interfaces.bus import LARGEST
from stackd.model import wire
from stackd.model.images import Image, ImageQuery, ImageStatus, MemberStatus, NewImage, StoredBytes, Visibility
from stackd.rules import images as rules
from stackd.testing.images import ImageCloud, caller, image_cloud

ALICE = caller("alice", "red")
BOB = caller("bob", "blue")
READER = caller("rita", "red", "reader")
ADMIN = caller("root", "ops", "admin")
STORED = StoredBytes(size=3, checksum="c" * 32, hash_value="d" * 128, virtual_size=3)
awaiting = pytest_twisted.ensureDeferred


@pytest.fixture
def cloud() -> ImageCloud:
    return image_cloud()


async def make(cloud: ImageCloud, name: str, by: Any = ALICE, **fields: Any) -> Image:
    cloud.clock.advance(1)
    return await cloud.registry.create(by, NewImage(name=name, disk_format="raw", container_format="bare", **fields))


async def names(cloud: ImageCloud, by: Any, **query: Any) -> list[str]:
    return [image.name for image in await cloud.registry.list(by, ImageQuery(**query))]


@awaiting
async def test_a_new_image_waits_for_its_bytes(cloud: ImageCloud) -> None:
    image = await make(cloud, "one", tags=("b", "a"), properties={"os_distro": "debian"})
    shown = await cloud.registry.show(ALICE, image.id)
    assert (shown.status, shown.visibility, shown.owner) == (ImageStatus.QUEUED, Visibility.SHARED, ALICE.project_id)
    assert shown.tags == ("a", "b") and shown.properties == {"os_distro": "debian"}
    assert shown.created_at == cloud.clock.seconds()


@pytest.mark.parametrize(("visibility", "shown", "listed"), [
    (Visibility.PUBLIC, True, True), (Visibility.COMMUNITY, True, False),
    (Visibility.SHARED, False, False), (Visibility.PRIVATE, False, False)])
@awaiting
async def test_what_strangers_see(cloud: ImageCloud, visibility: Visibility, shown: bool, listed: bool) -> None:
    image = await make(cloud, "x", ADMIN, owner=ALICE.project_id, visibility=visibility)
    assert (await names(cloud, BOB) == ["x"]) is listed
    assert await names(cloud, ALICE) == ["x"]
    if shown:
        assert (await cloud.registry.show(BOB, image.id)).name == "x"
        with pytest.raises(errors.NotAllowed):
            await cloud.registry.delete(BOB, image.id)
    else:
        for refused in (cloud.registry.show, cloud.registry.delete, cloud.registry.begin_upload):
            with pytest.raises(errors.NotFound):
                await refused(BOB, image.id)


@awaiting
async def test_community_images_are_listed_when_asked_for(cloud: ImageCloud) -> None:
    await make(cloud, "x", visibility=Visibility.COMMUNITY)
    assert await names(cloud, BOB, visibility=Visibility.COMMUNITY) == ["x"]
    assert await names(cloud, BOB, community=True) == ["x"]


@awaiting
async def test_sharing(cloud: ImageCloud) -> None:
    image = await make(cloud, "x")
    member = BOB.project_id
    with pytest.raises(errors.NotFound):
        await cloud.sharing.members(BOB, image.id)
    await cloud.sharing.add(ALICE, image.id, member)
    assert (await cloud.registry.show(BOB, image.id)).name == "x"
    assert await names(cloud, BOB) == []
    assert await names(cloud, BOB, member_status=MemberStatus.PENDING) == ["x"]
    with pytest.raises(errors.NotAllowed):
        await cloud.sharing.answer(ALICE, image.id, member, MemberStatus.ACCEPTED)
    await cloud.sharing.answer(BOB, image.id, member, MemberStatus.ACCEPTED)
    assert await names(cloud, BOB) == ["x"]
    with pytest.raises(errors.Conflict):
        await cloud.sharing.add(ALICE, image.id, member)
    await cloud.sharing.remove(ALICE, image.id, member)
    assert await names(cloud, BOB) == []
    with pytest.raises(errors.NotFound):
        await cloud.sharing.show(ALICE, image.id, member)


@awaiting
async def test_only_administrators_publish(cloud: ImageCloud) -> None:
    with pytest.raises(errors.NotAllowed):
        await make(cloud, "x", visibility=Visibility.PUBLIC)
    image = await make(cloud, "x")
    with pytest.raises(errors.NotAllowed):
        await cloud.registry.update(ALICE, image.id, lambda now: evolve(now, visibility=Visibility.PUBLIC))
    await cloud.registry.update(ADMIN, image.id, lambda now: evolve(now, visibility=Visibility.PUBLIC))
    assert await names(cloud, BOB) == ["x"]


@awaiting
async def test_readers_and_other_owners_are_refused(cloud: ImageCloud) -> None:
    with pytest.raises(errors.NotAllowed):
        await make(cloud, "x", READER)
    with pytest.raises(errors.NotAllowed):
        await make(cloud, "x", owner=BOB.project_id)
    await make(cloud, "x")
    assert await names(cloud, READER) == ["x"]


@awaiting
async def test_own_ids_are_unique_for_both_apis(cloud: ImageCloud) -> None:
    await make(cloud, "x", id="a" * 32)
    with pytest.raises(errors.AlreadyExists):
        await make(cloud, "y", id="a" * 32)
    with pytest.raises(errors.AlreadyExists):
        await make(cloud, "y", id="a" * 17 + "b" * 15)
    await cloud.registry.delete(ALICE, "a" * 32)
    with pytest.raises(errors.AlreadyExists):
        await make(cloud, "y", id="a" * 32)


@awaiting
async def test_update_replaces_properties_and_tags(cloud: ImageCloud) -> None:
    image = await make(cloud, "x", tags=("a",), properties={"one": "1", "two": "2"})
    cloud.clock.advance(5)
    await cloud.registry.update(ALICE, image.id, lambda now: evolve(
        now, name="y", tags=("b",), properties={"two": "3"}))
    shown = await cloud.registry.show(ALICE, image.id)
    assert (shown.name, shown.tags, shown.properties) == ("y", ("b",), {"two": "3"})
    assert shown.updated_at == shown.created_at + 5


@awaiting
async def test_too_many_properties(cloud: ImageCloud) -> None:
    with pytest.raises(errors.PayloadTooLarge):
        await make(cloud, "x", properties={str(number): "" for number in range(129)})


@awaiting
async def test_properties_that_say_too_much(cloud: ImageCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are refused, but an image that has them since before there was a limit can be changed else, and deleted."""
    much = {"poem": "\N{ELEPHANT}" * 15_360}
    with pytest.raises(errors.PayloadTooLarge, match="61440 bytes of properties, not 61451"):
        await make(cloud, "x", properties=much)
    with monkeypatch.context() as earlier:
        earlier.setattr(rules, "MOST_OF_PROPERTIES", 65_000)
        image = await make(cloud, "x", properties=much)
    assert (await cloud.registry.update(ALICE, image.id, lambda now: evolve(now, name="y"))).name == "y"
    with pytest.raises(errors.PayloadTooLarge):
        await cloud.registry.update(ALICE, image.id, lambda now: evolve(now, properties={**much, "more": "x"}))
    await cloud.registry.delete(ALICE, image.id)


@awaiting
async def test_a_page_ends_before_it_is_too_large_for_a_message(cloud: ImageCloud) -> None:
    """Each can be had, whatever users wrote, and no page is more than the bus carries."""
    sizes = (9_000, 100, 10_200, 0, 10_200)
    # Each character of the poem is six bytes of JSON.
    made = [(await make(cloud, "x", tags=("a" * 255,), properties={"poem": "\1" * size} if size else {})).id
            for size in sizes * 50]
    seen: list[str] = []
    pages, more = 0, True
    while more:
        page = await cloud.registry.list(ALICE, ImageQuery(marker=seen[-1] if seen else None))
        assert len(orjson.dumps(wire.dump(page))) < LARGEST
        seen += [image.id for image in page]
        pages, more = pages + 1, page.more
    assert sorted(seen) == sorted(made)
    assert pages == 2


@awaiting
async def test_protected_images_stay(cloud: ImageCloud) -> None:
    image = await make(cloud, "x", protected=True)
    with pytest.raises(errors.NotAllowed, match="protected"):
        await cloud.registry.delete(ALICE, image.id)
    await cloud.registry.update(ALICE, image.id, lambda now: evolve(now, protected=False))
    await cloud.registry.delete(ALICE, image.id)
    with pytest.raises(errors.NotFound):
        await cloud.registry.show(ALICE, image.id)
    assert await names(cloud, ADMIN) == []


@pytest.mark.parametrize(("query", "expected"), [
    ({"names": ("a", "c")}, ["c", "a"]),
    ({"tags": ("t",)}, ["b"]),
    ({"tags": ("t", "u")}, []),
    ({"properties": {"os": "x"}}, ["c"]),
    ({"protected": True}, ["b"]),
    ({"hidden": True}, ["hidden"]),
    ({"hidden": None}, ["hidden", "c", "b", "a"]),
    ({"statuses": ("active",)}, []),
    ({"times": (("created_at", "lte", 1_000_002.0),)}, ["b", "a"]),
    ({"sort": (("name", False),)}, ["a", "b", "c"]),
    ({"sort": (("size", True), ("name", False))}, ["a", "b", "c"]),
    ({"owners": ("f" * 32,)}, []),
])
@awaiting
async def test_filters(cloud: ImageCloud, query: dict[str, Any], expected: list[str]) -> None:
    await make(cloud, "a")
    await make(cloud, "b", tags=("t",), protected=True)
    await make(cloud, "c", properties={"os": "x"})
    await make(cloud, "hidden", hidden=True)
    assert await names(cloud, ALICE, **query) == expected


@pytest.mark.parametrize("sort", [(("name", False),), (("size", True),), (("created_at", True), ("id", True)),
                                  (("disk_format", False), ("name", True))])
@awaiting
async def test_pages_meet_every_image_once(cloud: ImageCloud, sort: tuple[tuple[str, bool], ...]) -> None:
    for number in range(7):
        await make(cloud, f"name {number // 2}")
    seen: list[str] = []
    marker = None
    while True:
        page = await cloud.registry.list(ALICE, ImageQuery(sort=sort, limit=3, marker=marker))
        seen += [image.id for image in page]
        if not page.more:
            break
        marker = seen[-1]
    whole = [image.id for image in await cloud.registry.list(ALICE, ImageQuery(sort=sort))]
    assert seen == whole and len(set(seen)) == 7


@awaiting
async def test_a_marker_must_name_an_image(cloud: ImageCloud) -> None:
    with pytest.raises(errors.InvalidMarker):
        await cloud.registry.list(ALICE, ImageQuery(marker="0" * 32))


@awaiting
async def test_one_upload_at_a_time(cloud: ImageCloud) -> None:
    image = await make(cloud, "x")
    _, key = await cloud.registry.begin_upload(ALICE, image.id)
    with pytest.raises(errors.WrongState):
        await cloud.registry.begin_upload(ALICE, image.id)
    done = await cloud.registry.finish_upload(image.id, key, STORED)
    assert (done.status, done.size, done.checksum) == (ImageStatus.ACTIVE, 3, "c" * 32)
    with pytest.raises(errors.WrongState):
        await cloud.registry.begin_upload(ALICE, image.id)


@awaiting
async def test_an_upload_that_was_given_up_never_finishes(cloud: ImageCloud) -> None:
    image = await make(cloud, "x")
    _, first = await cloud.registry.begin_upload(ALICE, image.id)
    await cloud.registry.give_up_upload(image.id, first)
    _, second = await cloud.registry.begin_upload(ALICE, image.id)
    with pytest.raises(errors.NotFound):
        await cloud.registry.finish_upload(image.id, first, STORED)
    await cloud.registry.give_up_upload(image.id, first)
    assert (await cloud.registry.finish_upload(image.id, second, STORED)).status is ImageStatus.ACTIVE


@awaiting
async def test_formats_come_before_bytes(cloud: ImageCloud) -> None:
    image = await cloud.registry.create(ALICE, NewImage(name="x"))
    with pytest.raises(errors.InvalidImage, match="disk_format"):
        await cloud.registry.begin_upload(ALICE, image.id)


@awaiting
async def test_deactivate_and_reactivate(cloud: ImageCloud) -> None:
    image = await make(cloud, "x")
    with pytest.raises(errors.WrongState):
        await cloud.registry.deactivate(ALICE, image.id)
    _, key = await cloud.registry.begin_upload(ALICE, image.id)
    await cloud.registry.finish_upload(image.id, key, STORED)
    for _ in range(2):
        await cloud.registry.deactivate(ALICE, image.id)
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.DEACTIVATED
    for _ in range(2):
        await cloud.registry.reactivate(ALICE, image.id)
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.ACTIVE
