"""The sweep: deleted bytes go after their grace, needed ones stay, dead uploads are put back, orphans go."""

from collections.abc import Collection

import pytest
import pytest_twisted

from stackd import errors
from stackd.imageservice.registry import Registry
from stackd.imageservice.sweeping import Sweep, SweepService
from stackd.model.images import Image, ImageStatus, NewImage
from stackd.testing.contracts.imagestore import blocks_of, gather
from stackd.testing.images import ImageCloud, caller, image_cloud

ALICE = caller("alice", "red")
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
    await cloud.store.write("0" * 32 + ".orphan", blocks_of(b"x"))
    cloud.clock.advance(60)
    assert await listing() == ()
    await service.stopService()
    await cloud.store.write("0" * 32 + ".orphan", blocks_of(b"x"))
    cloud.clock.advance(600)
    assert len(await listing()) == 1
