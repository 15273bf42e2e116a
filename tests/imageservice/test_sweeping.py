"""The sweep: deleted bytes go after their grace, needed ones stay, dead uploads are put back, orphans go."""

from collections.abc import Collection
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import maybeDeferred

from stackd import errors
from stackd.drivers.imagestores.files import FileImageStore
from stackd.imageservice.registry import Registry
from stackd.imageservice.sweeping import Sweep, SweepService
from stackd.model.images import Image, ImageStatus, NewImage
from stackd.testing.contracts.imagestore import blocks_of, gather
from stackd.testing.images import ImageCloud, caller, image_cloud

ALICE = caller("alice", "red")
ORPHAN = "0" * 32 + ".0000abcd"
awaiting = pytest_twisted.ensureDeferred


@pytest.fixture
def cloud() -> ImageCloud:
    return image_cloud()


async def active(cloud: ImageCloud) -> Image:
    image = await cloud.registry.create(ALICE, NewImage(disk_format="raw", container_format="bare"))
    return await cloud.content.upload(ALICE, image.id, blocks_of(b"bytes"))


@awaiting
async def test_bytes_outlive_their_image_by_the_grace(cloud: ImageCloud) -> None:
    image = await active(cloud)
    sweep = Sweep(cloud.registry, cloud.store, grace=100)
    assert await sweep.once() == 0
    await cloud.registry.delete(ALICE, image.id)
    cloud.clock.advance(99)
    assert await sweep.once() == 0
    assert await gather(cloud.catalogue.read(image.id)) == b"bytes"
    cloud.clock.advance(2)
    assert await sweep.once() == 1
    assert await cloud.store.keys() == ()
    assert await sweep.once() == 0


@awaiting
async def test_bytes_an_instance_needs_stay(cloud: ImageCloud) -> None:
    needed, free = await active(cloud), await active(cloud)
    wanted = {needed.id}

    async def keepers(image_ids: Collection[str]) -> Collection[str]:
        return wanted & set(image_ids)

    for image in (needed, free):
        await cloud.registry.delete(ALICE, image.id)
    cloud.clock.advance(101)
    sweep = Sweep(Registry(cloud.database, keepers=keepers), cloud.store, grace=100)
    assert await sweep.once() == 1
    assert await gather(cloud.catalogue.read(needed.id)) == b"bytes"
    wanted.clear()
    assert await sweep.once() == 1
    assert await cloud.store.keys() == ()


@awaiting
async def test_an_upload_whose_process_died_is_put_back(cloud: ImageCloud) -> None:
    image = await cloud.registry.create(ALICE, NewImage(disk_format="raw", container_format="bare"))
    _, key = await cloud.registry.begin_upload(ALICE, image.id)
    await cloud.store.write(key, blocks_of(b"complete, but nobody said so"))
    sweep = Sweep(cloud.registry, cloud.store, stall=300)
    cloud.clock.advance(299)
    assert await cloud.registry.still_uploading(image.id, key)
    cloud.clock.advance(299)
    assert await sweep.once() == 0
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.SAVING
    cloud.clock.advance(2)
    assert await sweep.once() == 1
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.QUEUED
    assert await cloud.store.keys() == ()


def files(folder: Path) -> FileImageStore:
    return FileImageStore(folder, maybeDeferred, lambda: "t")


@awaiting
async def test_what_others_put_into_the_folder_of_images_stays_and_hinders_nothing(tmp_path: Path) -> None:
    """An ext4 volume of its own has a lost+found; administrators leave notes and copies."""
    cloud = image_cloud(files(tmp_path))
    for name in ("README", "notes.txt", "backup.tar", "a-copy"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ("1" * 32 + ".0000abcd")).mkdir()
    (tmp_path / ORPHAN).write_bytes(b"x")
    left = set(tmp_path.iterdir()) - {tmp_path / ORPHAN}
    assert await Sweep(cloud.registry, cloud.store).once() == 1
    assert set(tmp_path.iterdir()) == left


@awaiting
async def test_bytes_that_cannot_be_removed_hinder_no_others(cloud: ImageCloud) -> None:
    """They are tried again in the next round."""
    images = [await active(cloud) for _ in range(3)]
    await cloud.registry.delete(ALICE, images[0].id)
    await cloud.registry.delete(ALICE, images[1].id)
    cloud.clock.advance(101)
    stuck = await cloud.registry.located(images[0].id)
    assert stuck is not None
    orphans = [ORPHAN, "f" * 32 + ".0000abcd"]
    for key in orphans:
        await cloud.store.write(key, blocks_of(b"x"))
    delete = cloud.store.delete

    async def failing(key: str) -> None:
        if key in (stuck[1], ORPHAN):
            raise errors.TransientFailure("The image store cannot be used now.")
        await delete(key)

    cloud.store.delete = failing
    sweep = Sweep(cloud.registry, cloud.store, grace=100)
    assert await sweep.once() == 2
    kept = await cloud.registry.located(images[2].id)
    assert kept is not None and set(await cloud.store.keys()) == {stuck[1], ORPHAN, kept[1]}
    cloud.store.delete = delete
    assert await sweep.once() == 2
    assert await cloud.store.keys() == (kept[1],)


@awaiting
async def test_what_another_process_left_half_written_goes_while_this_one_runs(tmp_path: Path) -> None:
    """Not only when it starts; a folder of such a name is left alone."""
    cloud = image_cloud(files(tmp_path))
    (tmp_path / ".theirs.partial").mkdir()
    (tmp_path / f".{ORPHAN}.dead.partial").write_bytes(b"half")
    await Sweep(cloud.registry, cloud.store).once()
    assert [path.name for path in tmp_path.iterdir()] == [".theirs.partial"]


@awaiting
async def test_the_service_sweeps_on_also_after_a_round_that_failed(cloud: ImageCloud) -> None:
    image = await active(cloud)
    await cloud.registry.delete(ALICE, image.id)
    cloud.clock.advance(101)
    listing, failures = cloud.store.keys, [errors.TransientFailure("The store is away.")]

    async def keys() -> tuple[str, ...]:
        if failures:
            raise failures.pop()
        return tuple(await listing())

    cloud.store.keys = keys
    service = SweepService(Sweep(cloud.registry, cloud.store, grace=100), cloud.clock, interval=60)
    service.startService()
    assert await listing() == () and not failures
    await cloud.store.write(ORPHAN, blocks_of(b"x"))
    cloud.clock.advance(60)
    assert await listing() == ()
    await service.stopService()
    await cloud.store.write(ORPHAN, blocks_of(b"x"))
    cloud.clock.advance(600)
    assert len(await listing()) == 1
