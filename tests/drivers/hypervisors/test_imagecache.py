"""The image cache: one fetch per image, nothing half written, and no image that lies or points elsewhere."""

import os
import struct
import time
from collections.abc import AsyncIterator
from hashlib import sha512
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults, succeed

from stackd.drivers.hypervisors.imagecache import ImageCache, virtual_size
from stackd.errors import ImageVanished, PermanentFailure, TransientFailure, Unavailable
from stackd.model.images import ImageFile
from stackd.testing.contracts.hypervisor import HeldImages

GIB = 1024 ** 3
BACKING_AT = 512


def qcow2(size: int = GIB, backing: str = "", features: int = 0) -> bytes:
    """An empty qcow2 of version 3."""
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, BACKING_AT if backing else 0, len(backing), 16, size)
    head = head.ljust(72, b"\0") + struct.pack(">Q", features)
    return (head.ljust(BACKING_AT, b"\0") + backing.encode()).ljust(65536, b"\0")


class Bench:
    """A cache over an image source, everything in this thread."""

    def __init__(self, folder: Path) -> None:
        self.images = HeldImages()
        self.folder = folder
        self.cache = ImageCache(folder, self.images, lambda function, *args: succeed(function(*args)))

    def left(self) -> list[str]:
        """The files in the cache."""
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fresh one."""
    return Bench(tmp_path / "images")


@pytest_twisted.ensureDeferred
async def test_an_image_arrives_whole_and_is_fetched_once(bench: Bench) -> None:
    file = bench.images.hold(b"\0" * 200_000)
    path = await bench.cache.ensure(file)
    assert path.read_bytes() == b"\0" * 200_000
    assert await bench.cache.ensure(file) == path
    assert bench.images.reads == [file.id]


@pytest_twisted.ensureDeferred
async def test_guests_that_start_together_share_one_fetch(tmp_path: Path) -> None:
    gate: Deferred[None] = Deferred()

    class Slow(HeldImages):
        async def read(self, image_id: str) -> AsyncIterator[bytes]:
            await gate
            async for block in super().read(image_id):
                yield block

    images = Slow()
    cache = ImageCache(tmp_path, images, lambda function, *args: succeed(function(*args)))
    file = images.hold(b"\0" * 1000)
    both = gatherResults([ensureDeferred(cache.ensure(file)) for _ in range(3)])
    gate.callback(None)
    assert len(set(await both)) == 1
    assert images.reads == [file.id]


@pytest_twisted.ensureDeferred
async def test_bytes_without_an_md5_are_checked_by_sha512(bench: Bench) -> None:
    file = bench.images.hold(b"\0" * 1000)
    path = await bench.cache.ensure(evolve(file, checksum="", hash_value=sha512(b"\0" * 1000).hexdigest()))
    assert path.read_bytes() == b"\0" * 1000


@pytest.mark.parametrize("changes", [{"checksum": "0" * 32}, {"size": 999}, {"size": 1001}, {"id": "f" * 32},
                                     {"checksum": "", "hash_value": "0" * 128}, {"checksum": ""}])
@pytest_twisted.ensureDeferred
async def test_bytes_that_are_gone_or_others_leave_nothing(bench: Bench, changes: dict[str, Any]) -> None:
    file = evolve(bench.images.hold(b"\0" * 1000), **changes)
    with pytest.raises(ImageVanished):
        await bench.cache.ensure(file)
    assert bench.left() == []


@pytest_twisted.ensureDeferred
async def test_an_image_service_that_does_not_answer_is_tried_again(tmp_path: Path) -> None:
    class Down(HeldImages):
        async def read(self, image_id: str) -> AsyncIterator[bytes]:
            yield b"\0" * 10
            raise Unavailable("The image service does not answer.")

    cache = ImageCache(tmp_path, Down(), lambda function, *args: succeed(function(*args)))
    file = ImageFile(id="a" * 32, disk_format="raw", size=1000, checksum="0" * 32)
    with pytest.raises(TransientFailure, match="does not answer"):
        await cache.ensure(file)
    assert list(tmp_path.iterdir()) == []


HOSTILE = [
    (qcow2(backing="/etc/shadow"), "qcow2", "backing file"),
    (qcow2(features=4), "qcow2", "data_file"),
    (qcow2(features=1 << 40), "qcow2", "Unknown QCOW2 features"),
    (qcow2(), "raw", "said to be raw, but its bytes are qcow2"),
    (qcow2(), "ami", "said to be ami, but its bytes are qcow2"),
    (b"\0" * 70_000, "qcow2", "said to be qcow2, but its bytes are raw"),
    (b"\0" * 70_000, "vmdk", "cannot boot"),
]


@pytest.mark.parametrize(("content", "disk_format", "words"), HOSTILE)
@pytest_twisted.ensureDeferred
async def test_hostile_images_are_refused_for_good(bench: Bench, content: bytes, disk_format: str, words: str) -> None:
    with pytest.raises(PermanentFailure, match=words):
        await bench.cache.ensure(bench.images.hold(content, disk_format))
    assert bench.left() == []


@pytest_twisted.ensureDeferred
async def test_kernels_are_taken_as_they_are(bench: Bench) -> None:
    path = await bench.cache.ensure(bench.images.hold(b"MZ kernel", "aki"))
    assert path.read_bytes() == b"MZ kernel"


@pytest_twisted.ensureDeferred
async def test_the_size_a_guest_sees_is_the_disk_s_not_the_file_s(bench: Bench) -> None:
    file = bench.images.hold(qcow2(3 * GIB), "qcow2")
    assert virtual_size(await bench.cache.ensure(file), file) == 3 * GIB
    raw = bench.images.hold(b"\0" * 70_000)
    assert virtual_size(await bench.cache.ensure(raw), raw) == 70_000


HOUR = 3600.0


async def held(bench: Bench, number: int, hours_ago: float) -> str:
    """The id of an image in the cache, last wanted so long ago."""
    file = bench.images.hold(bytes([number]) * 1000)
    path = await bench.cache.ensure(file)
    then = time.time() - hours_ago * HOUR
    os.utime(path, (then, then))
    return file.id


@pytest_twisted.ensureDeferred
async def test_images_nobody_needs_go_after_their_time(bench: Bench) -> None:
    """Those that were wanted lately stay, and those that guests refer to, however old."""
    old, needed, fresh = [await held(bench, number, hours) for number, hours in ((1, 30), (2, 300), (3, 10))]
    before = time.time() - 24 * HOUR
    assert await bench.cache.age_out(before, lambda: {needed}) == (old,)
    assert bench.left() == sorted([needed, fresh])
    assert await bench.cache.age_out(before, lambda: {needed}) == ()
    assert await bench.cache.age_out(before, set) == (needed,)


@pytest_twisted.ensureDeferred
async def test_who_wants_an_image_makes_it_young(bench: Bench) -> None:
    """Without fetching it again."""
    id = await held(bench, 1, 30)
    await bench.cache.ensure(ImageFile(id=id, disk_format="raw", size=1000, checksum="unread"))
    assert await bench.cache.age_out(time.time() - 24 * HOUR, set) == ()
    assert bench.left() == [id] and bench.images.reads == [id]


@pytest_twisted.ensureDeferred
async def test_an_image_that_is_wanted_while_it_is_looked_through_stays(bench: Bench) -> None:
    """The last look at its time comes after the list of what guests need was made."""
    id = await held(bench, 1, 30)

    def referred() -> set[str]:
        os.utime(bench.folder / id)
        return set()

    assert await bench.cache.age_out(time.time() - 24 * HOUR, referred) == ()
    assert bench.left() == [id]


@pytest_twisted.ensureDeferred
async def test_when_guests_cannot_be_looked_through_all_images_stay(bench: Bench) -> None:
    """And whoever asked is told."""
    id = await held(bench, 1, 30)

    def unsure() -> set[str]:
        raise OSError("a disk cannot be read")

    with pytest.raises(OSError, match="cannot be read"):
        await bench.cache.age_out(time.time(), unsure)
    assert bench.left() == [id]


@pytest_twisted.ensureDeferred
async def test_what_a_crash_left_goes_too(bench: Bench) -> None:
    """A removal that was begun, and a fetch that will not go on; not one that runs."""
    for name, hours in ((f".{'1' * 32}.aged", 0), (f".{'2' * 32}.partial", 30), (f".{'3' * 32}.partial", 0)):
        await held(bench, 9, 0)
        path = bench.folder / name
        path.write_bytes(b"x")
        os.utime(path, (time.time() - hours * HOUR,) * 2)
    await bench.cache.age_out(time.time() - 24 * HOUR, set)
    assert [name for name in bench.left() if name.startswith(".")] == [f".{'3' * 32}.partial"]


@pytest_twisted.ensureDeferred
async def test_a_cache_without_a_folder_has_nothing_to_remove(bench: Bench) -> None:
    """As before the first guest."""
    assert await bench.cache.age_out(time.time(), set) == ()
