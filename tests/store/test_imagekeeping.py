"""Which deleted images keep their bytes: those that a launch still needs, with kernel and ramdisk."""

import pytest
from attrs import evolve
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from stackd.model.images import ImageFile, ImageSnapshot
from stackd.store import imagekeeping, instances
from stackd.store.database import Database, Transaction
from stackd.testing.databases import memory_database
from stackd.testing.records import an_instance

DISK, KERNEL, RAMDISK, OTHER = ("1" * 32, "2" * 32, "3" * 32, "4" * 32)
FILES = [ImageFile(id=id, disk_format="raw", size=1, checksum="0" * 32) for id in (DISK, KERNEL, RAMDISK)]
MACHINE = ImageSnapshot(id=DISK, name="demo", disk=FILES[0], kernel=FILES[1], ramdisk=FILES[2])


@pytest.mark.parametrize(("launched_at", "ended_at", "kept"), [
    (None, None, {DISK, KERNEL, RAMDISK}), (5.0, None, set()), (None, 5.0, set())])
def test_only_unbuilt_instances_need_images(launched_at: float | None, ended_at: float | None, kept: set[str]) -> None:
    database: Database = memory_database(Clock())
    instance = evolve(an_instance(image=MACHINE), launched_at=launched_at, ended_at=ended_at)
    seen: list[set[str]] = []

    def launch(tx: Transaction) -> None:
        instances.insert_all(tx, [instance], 1, "")
        seen.append(imagekeeping.needed(tx, [DISK, KERNEL, RAMDISK, OTHER]))
        seen.append(imagekeeping.needed(tx, [OTHER]))

    ensureDeferred(database.write(launch))
    assert seen == [kept, set()]
