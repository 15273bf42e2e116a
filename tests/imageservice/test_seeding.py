"""Seeds: public images that are there after every start, once, and not against an administrator's will."""

from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import maybeDeferred

from stackd import errors
from stackd.imageservice.seeding import TINY, Seed, Seeding
from stackd.model import ids
from stackd.model.images import ImageQuery, ImageStatus, Visibility
from stackd.testing.contracts.imagestore import gather
from stackd.testing.images import ImageCloud, caller, image_cloud

ADMIN = caller("root", "ops", "admin")
BOB = caller("bob", "blue")
awaiting = pytest_twisted.ensureDeferred


@pytest.fixture
def cloud() -> ImageCloud:
    return image_cloud()


def seeding(cloud: ImageCloud) -> Seeding:
    return Seeding(cloud.registry, cloud.content, ADMIN, maybeDeferred)


@awaiting
async def test_a_seed_is_there_once_for_everybody(cloud: ImageCloud) -> None:
    for _ in range(2):
        image = await seeding(cloud).ensure(TINY)
        assert image is not None and image.status is ImageStatus.ACTIVE
    listed = await cloud.registry.list(BOB, ImageQuery())
    assert [(each.name, each.visibility, each.size) for each in listed] == [("tiny", Visibility.PUBLIC, 4096)]


@awaiting
async def test_a_start_that_broke_off_is_made_up_for(cloud: ImageCloud, tmp_path: Path) -> None:
    seed = Seed(name="demo", content=tmp_path / "demo.img", disk_format="raw", properties={"os_distro": "debian"})
    with pytest.raises(errors.TransientFailure, match="demo.img"):
        await seeding(cloud).ensure(seed)
    (tmp_path / "demo.img").write_bytes(b"boot" * 1000)
    image = await seeding(cloud).ensure(seed)
    assert image is not None
    assert (image.status, image.size, image.properties) == (ImageStatus.ACTIVE, 4000, {"os_distro": "debian"})


@awaiting
async def test_a_deleted_seed_stays_deleted(cloud: ImageCloud) -> None:
    image = await seeding(cloud).ensure(TINY)
    assert image is not None
    await cloud.registry.delete(ADMIN, image.id)
    assert await seeding(cloud).ensure(TINY) is None


@awaiting
async def test_a_machine_names_its_kernel_and_ramdisk(cloud: ImageCloud, tmp_path: Path) -> None:
    for name in ("vmlinuz", "initrd", "root"):
        (tmp_path / name).write_bytes(name.encode())
    image = await seeding(cloud).ensure_machine(
        Seed(name="demo", content=tmp_path / "root", min_disk=1), tmp_path / "vmlinuz", tmp_path / "initrd")
    assert image is not None
    assert (image.disk_format, image.container_format, image.min_disk) == ("ami", "ami", 1)
    for key, content, kind in (("kernel_id", b"vmlinuz", "aki"), ("ramdisk_id", b"initrd", "ari")):
        part = await cloud.registry.show(BOB, ids.parse_uuid(image.properties[key]) or "")
        assert part.disk_format == kind
        assert await gather(cloud.catalogue.read(part.id)) == content
