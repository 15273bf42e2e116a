"""Bytes of images: what an upload leaves behind, in success and in every kind of failure, and what is refused."""

import hashlib
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred

from stackd import errors
from stackd.model.images import Image, ImageStatus, NewImage, StoredBytes
from stackd.testing.contracts.imagestore import blocks_of, broken_after, gather
from stackd.testing.images import ImageCloud, caller, image_cloud

ALICE = caller("alice", "red")
BOB = caller("bob", "blue")
ADMIN = caller("root", "ops", "admin")
awaiting = pytest_twisted.ensureDeferred


@pytest.fixture
def cloud() -> ImageCloud:
    return image_cloud(max_size=200_000)


async def queued(cloud: ImageCloud, disk_format: str = "raw") -> Image:
    return await cloud.registry.create(ALICE, NewImage(name="x", disk_format=disk_format, container_format="bare"))


def qcow2(backing: int = 0, incompatible: int = 0, size: int = 5 << 30, cluster_bits: int = 16,
          encryption: int = 0) -> bytes:
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, backing, 8 if backing else 0, cluster_bits, size, encryption,
                         0, 0, 0, 0, 0, 0)
    return (header + struct.pack(">QQQII", incompatible, 0, 0, 4, 104)).ljust(65536, b"\0")


def iso(front: bytes = b"") -> bytes:
    descriptor = b"\x01CD001\x01".ljust(80, b"\0") + struct.pack("<I", 20) + struct.pack(">I", 20)
    return (front.ljust(32768, b"\0") + descriptor.ljust(128, b"\0")
            + struct.pack("<H", 2048) + struct.pack(">H", 2048) + bytes(2048))


def boot_sector(content: bytes = b"") -> bytes:
    partition = struct.pack("<B3BB3BII", 0x80, 0, 2, 0, 0x83, 0, 0, 0, 1, 100)
    return content[:446].ljust(446, b"\0") + partition.ljust(64, b"\0") + b"\x55\xaa" + bytes(1024)


@awaiting
async def test_an_upload_makes_the_image_active(cloud: ImageCloud) -> None:
    image = await queued(cloud)
    content = b"kernel and all" * 100
    done = await cloud.content.upload(ALICE, image.id, blocks_of(content[:7], content[7:]), len(content))
    assert done.status is ImageStatus.ACTIVE
    assert (done.size, done.virtual_size) == (1400, 1400)
    assert done.checksum == hashlib.md5(content).hexdigest()
    assert done.hash_value == hashlib.sha512(content).hexdigest()
    assert await gather(cloud.content.read(image.id)) == content
    assert await gather(cloud.content.read(image.id, 5, 6)) == content[5:11]


@awaiting
async def test_an_empty_raw_image_is_an_image(cloud: ImageCloud) -> None:
    done = await cloud.content.upload(ALICE, (await queued(cloud)).id, blocks_of())
    assert (done.status, done.size) == (ImageStatus.ACTIVE, 0)


@awaiting
async def test_virtual_size_comes_from_the_header(cloud: ImageCloud) -> None:
    done = await cloud.content.upload(ALICE, (await queued(cloud, "qcow2")).id, blocks_of(qcow2()))
    assert (done.size, done.virtual_size) == (65536, 5 << 30)


@pytest.mark.parametrize(("disk_format", "content"), [
    ("raw", boot_sector()), ("ami", boot_sector()), ("aki", boot_sector()[:446] + bytes(64) + b"\x55\xaa" + bytes(99)),
    ("ari", b"\x1f\x8b rest"), ("iso", iso()), ("iso", iso(boot_sector()))])
@awaiting
async def test_accepted(cloud: ImageCloud, disk_format: str, content: bytes) -> None:
    done = await cloud.content.upload(ALICE, (await queued(cloud, disk_format)).id, blocks_of(content))
    assert done.status is ImageStatus.ACTIVE


@pytest.mark.parametrize(("disk_format", "content", "words"), [
    ("qcow2", qcow2(backing=200), "backing"),
    ("qcow2", qcow2(incompatible=4), "data"),
    ("qcow2", qcow2(incompatible=1 << 40), "feature"),
    ("qcow2", qcow2(encryption=1), "encrypted"),
    ("qcow2", qcow2(encryption=2), "encrypted"),
    ("qcow2", qcow2(cluster_bits=40), r"clusters of 2\^40 bytes"),
    ("qcow2", qcow2(cluster_bits=8), r"clusters of 2\^8 bytes"),
    ("raw", qcow2(), "look like qcow2"),
    ("ami", qcow2(backing=200), "look like qcow2"),
    ("qcow2", b"#!/bin/sh" * 100, "disk_format qcow2"),
    ("qcow2", b"", "disk_format qcow2"),
    ("qcow2", qcow2()[:50], "disk_format qcow2"),
    ("vmdk", b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 1 FLAT "/etc/passwd" 0\n'.ljust(600),
     "descriptor"),
    ("raw", iso(), "look like iso"),
    ("iso", boot_sector(), "iso"),
    ("qcow2", iso(qcow2()[:32768]), "look like iso and qcow2"),
    ("iso", iso(qcow2()[:32768]), "look like iso and qcow2"),
    ("vdi", b"x" * 1000, "vdi"),
    ("qcow2", qcow2(size=(1 << 53) + 512), "9007199254741504 bytes"),
    ("qcow2", qcow2(size=(1 << 64) - 512), "at most 9007199254740992"),
])
@awaiting
async def test_refused(cloud: ImageCloud, disk_format: str, content: bytes, words: str) -> None:
    image = await queued(cloud, disk_format)
    with pytest.raises(errors.InvalidImage, match=words):
        await cloud.content.upload(ALICE, image.id, blocks_of(content[:100], content[100:]))
    await nothing_left(cloud, image)


async def nothing_left(cloud: ImageCloud, image: Image) -> None:
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.QUEUED
    assert await cloud.store.keys() == ()
    with pytest.raises(errors.ImageVanished):
        await gather(cloud.content.read(image.id))


@awaiting
async def test_an_upload_that_breaks_can_be_repeated(cloud: ImageCloud) -> None:
    image = await queued(cloud)
    with pytest.raises(ConnectionResetError):
        await cloud.content.upload(ALICE, image.id, broken_after(b"half"))
    await nothing_left(cloud, image)
    done = await cloud.content.upload(ALICE, image.id, blocks_of(b"whole"))
    assert (done.status, done.size) == (ImageStatus.ACTIVE, 5)


@pytest.mark.parametrize("announced", [None, 200_001])
@awaiting
async def test_too_large(cloud: ImageCloud, announced: int | None) -> None:
    image = await queued(cloud)
    with pytest.raises(errors.PayloadTooLarge):
        await cloud.content.upload(ALICE, image.id, blocks_of(bytes(100_000), bytes(100_001)), announced)
    await nothing_left(cloud, image)


@awaiting
async def test_fewer_bytes_than_announced(cloud: ImageCloud) -> None:
    image = await queued(cloud)
    with pytest.raises(errors.InvalidImage, match="announced"):
        await cloud.content.upload(ALICE, image.id, blocks_of(b"1234"), 5)
    await nothing_left(cloud, image)


@awaiting
async def test_an_image_deleted_while_it_is_uploaded_stays_deleted(cloud: ImageCloud) -> None:
    image = await queued(cloud)

    async def deleted_midway() -> AsyncIterator[bytes]:
        yield b"first"
        await cloud.registry.delete(ALICE, image.id)
        cloud.clock.advance(31)
        yield b"second"
        raise AssertionError("the upload should have ended by now")

    with pytest.raises(errors.NotFound):
        await cloud.content.upload(ALICE, image.id, deleted_midway())
    assert await cloud.store.keys() == ()


@awaiting
async def test_only_the_owner_uploads(cloud: ImageCloud) -> None:
    image = await queued(cloud)
    with pytest.raises(errors.NotFound):
        await cloud.content.upload(BOB, image.id, blocks_of(b"x"))


@awaiting
async def test_deactivated_bytes_are_for_administrators_and_hosts(cloud: ImageCloud) -> None:
    image = await queued(cloud)
    await cloud.content.upload(ALICE, image.id, blocks_of(b"x"))
    assert (await cloud.content.for_download(ALICE, image.id)).size == 1
    await cloud.registry.deactivate(ALICE, image.id)
    with pytest.raises(errors.NotAllowed, match="deactivated"):
        await cloud.content.for_download(ALICE, image.id)
    assert (await cloud.content.for_download(ADMIN, image.id)).size == 1
    assert await gather(cloud.catalogue.read(image.id)) == b"x"


@awaiting
async def test_a_finish_whose_answer_was_lost_keeps_the_bytes(cloud: ImageCloud) -> None:
    image = await queued(cloud)
    finish = cloud.registry.finish_upload

    async def answer_lost(image_id: str, key: str, stored: StoredBytes) -> Image:
        await finish(image_id, key, stored)
        await finish(image_id, key, stored)
        raise errors.DatabaseUnavailable("The database does not answer.")

    cloud.registry.finish_upload = answer_lost
    upload = ensureDeferred(cloud.content.upload(ALICE, image.id, blocks_of(b"whole")))
    cloud.clock.pump([10] * 4)
    with pytest.raises(errors.DatabaseUnavailable):
        await upload
    assert (await cloud.registry.show(ALICE, image.id)).status is ImageStatus.ACTIVE
    assert await gather(cloud.content.read(image.id)) == b"whole"


@awaiting
async def test_a_store_that_fails_leaves_the_image_queued(cloud: ImageCloud) -> None:
    image = await queued(cloud)
    write = cloud.store.write

    async def full(key: str, blocks: Any) -> int:
        await write(key, blocks)
        raise errors.TransientFailure("The image store is full.")

    cloud.store.write = full
    with pytest.raises(errors.TransientFailure):
        await cloud.content.upload(ALICE, image.id, blocks_of(b"x"))
    await nothing_left(cloud, image)
