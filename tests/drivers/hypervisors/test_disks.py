"""Guests' folders: sizes, leftovers of a crash, and a console that stays small under a guest that talks on."""

import os
import struct
from pathlib import Path

import pytest
from attrs import evolve

from stackd.drivers.hypervisors.disks import GIB, GuestFolders, disk_size
from stackd.errors import PermanentFailure, TransientFailure
from stackd.model.guests import GuestSpec
from stackd.model.images import ImageFile, ImageSnapshot

DISK = ImageFile(id="d" * 32, disk_format="raw", size=1, checksum="0" * 32)
SPEC = GuestSpec(id="1" * 32, name="moon", vcpus=1, memory_mib=128, disk_gib=2,
                 image=ImageSnapshot(id=DISK.id, name="tiny", disk=DISK))


@pytest.fixture
def folders(tmp_path: Path) -> GuestFolders:
    """One prepared guest, as ``make`` leaves it."""
    (tmp_path / SPEC.id).mkdir()
    (tmp_path / SPEC.id / "disk.qcow2").touch()
    return GuestFolders(tmp_path, console_bytes=2000)


@pytest.mark.parametrize(("disk_gib", "image", "size"), [
    (2, 2 * GIB, 2 * GIB), (2, 1, 2 * GIB), (0, 1024, 1024), (0, 1025, 1536)])
def test_the_disk_has_the_flavor_s_size_or_the_image_s_own(disk_gib: int, image: int, size: int) -> None:
    assert disk_size(evolve(SPEC, disk_gib=disk_gib), image) == size


def test_an_image_one_byte_too_large_is_refused() -> None:
    with pytest.raises(PermanentFailure, match="needs a disk of 3 GiB, the flavor has 2 GiB"):
        disk_size(SPEC, 2 * GIB + 1)


def test_a_console_stays_within_its_bound_and_keeps_its_end(folders: GuestFolders, tmp_path: Path) -> None:
    with folders.console(SPEC.id).open("ab", buffering=0) as guest:
        for number in range(1000):
            guest.write(b"line %05d\n" % number)
            folders.bound_console(SPEC.id)
            assert sum(path.stat().st_size for path in (tmp_path / SPEC.id).iterdir()) <= 2011
        guest.write(b"the end\n")
    tail = folders.console_tail(SPEC.id, 800)
    assert len(tail) == 800
    assert tail.endswith(b"line 00998\nline 00999\nthe end\n")


def test_no_bytes_of_a_console_are_asked_for(folders: GuestFolders) -> None:
    folders.console(SPEC.id).write_bytes(b"words")
    assert folders.console_tail(SPEC.id, 0) == b""
    assert folders.console_tail("2" * 32, 10) == b""


def test_what_a_crash_left_is_no_guest_and_goes_with_the_next_removal(folders: GuestFolders, tmp_path: Path) -> None:
    for name in (f".{'2' * 32}.new", f".{'2' * 32}.gone"):
        (tmp_path / name).mkdir()
    assert folders.ids() == (SPEC.id,)
    folders.remove("2" * 32)
    folders.remove(SPEC.id)
    assert list(tmp_path.iterdir()) == []


def test_guests_need_the_image_under_their_disk_and_what_they_boot_with(tmp_path: Path) -> None:
    """Also guests that are being made; not what was removed."""
    base = tmp_path / "images" / DISK.id
    base.parent.mkdir()
    base.write_bytes(bytes(1 << 20))
    kernel, ramdisk = evolve(DISK, id="e" * 32, disk_format="aki"), evolve(DISK, id="f" * 32, disk_format="ari")
    folders = GuestFolders(tmp_path / "guests", console_bytes=2000)
    assert folders.images() == set()
    folders.make(evolve(SPEC, image=evolve(SPEC.image, kernel=kernel, ramdisk=ramdisk)), base)
    assert folders.images() == {DISK.id, kernel.id, ramdisk.id}
    folder = tmp_path / "guests" / SPEC.id
    (folder / "images").unlink()
    assert folders.images() == {DISK.id}
    folder.rename(folder.with_name(f".{SPEC.id}.new"))
    assert folders.images() == {DISK.id}
    folders.remove(SPEC.id)
    assert folders.images() == set()


def test_a_disk_that_cannot_be_understood_is_not_taken_for_one_without_an_image(folders: GuestFolders) -> None:
    """So that nothing it may need is removed."""
    with pytest.raises(OSError, match="is no qcow2"):
        folders.images()


def qcow2(cluster_bits: int = 16, size: int = GIB, crypt: int = 0, tables: int = 2, table_at: int = 0x30000) -> bytes:
    """An empty qcow2 whose tables are where and as large as is said."""
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, cluster_bits, size, crypt, tables, table_at, 0x10000, 1,
                       0, 0)
    counts = (head + struct.pack(">QQQII", 0, 0, 0, 4, 104)).ljust(0x10000, b"\0") + struct.pack(">Q", 0x20000)
    return counts.ljust(0x50000, b"\0")


def bench(folder: Path, content: bytes) -> tuple[GuestFolders, GuestSpec, Path]:
    """Folders, a guest of an image with these bytes, and where the host keeps them."""
    base = folder / "kept" / DISK.id
    base.parent.mkdir(parents=True)
    base.write_bytes(content)
    disk = evolve(DISK, disk_format="qcow2", size=len(content))
    return GuestFolders(folder / "guests", 2000), evolve(SPEC, image=evolve(SPEC.image, disk=disk), disk_gib=0), base


@pytest.mark.parametrize(("content", "words"), [
    (qcow2(tables=1 << 30), "Active L1 table too large"), (qcow2(tables=1, size=5 * GIB), "L1 table is too small"),
    (qcow2(table_at=0x30001), "L1 table offset invalid"), (qcow2(cluster_bits=40), "cluster size"),
    (qcow2(size=1 << 60), "too big"), (qcow2(crypt=2), "crashes on it|.*encrypt")])
def test_an_image_that_qemu_refuses_is_not_tried_for_ever(tmp_path: Path, content: bytes, words: str) -> None:
    """The tenant is told why, and nothing of where the host keeps its files."""
    folders, spec, base = bench(tmp_path, content)
    with pytest.raises(PermanentFailure, match=f"^Image {DISK.id} cannot be used: .*({words}).*\\.$") as told:
        folders.make(spec, base)
    assert str(tmp_path) not in str(told.value) and "upload it again" in told.value.remedy
    assert folders.ids() == ()


@pytest.mark.parametrize("ends", [
    "echo 'qemu-img: x: Could not write: No space left on device' >&2; exit 1",
    "echo 'qemu-img: x: Could not open: Too many open files' >&2; exit 1", "kill -TERM $$", "exit 127",
    "exec sleep 60"])
def test_a_host_in_trouble_is_not_the_image_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    """When room is made, or nobody kills the tool, the disk is made."""
    folders, spec, base = bench(tmp_path, qcow2())
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "qemu-img").write_text(f"#!/bin/sh\n{ends}\n")
    (tools / "qemu-img").chmod(0o700)
    with monkeypatch.context() as patch:
        patch.setattr("stackd.drivers.hypervisors.disks.SECONDS", 0.5)
        patch.setenv("PATH", str(tools), prepend=":")
        with pytest.raises(TransientFailure):
            folders.make(spec, base)
    folders.make(spec, base)
    assert folders.ids() == (SPEC.id,)


def test_a_guest_s_folder_has_its_name_only_when_all_of_it_is_on_the_disk(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a host that loses its power finds an empty disk that it takes for a guest's."""
    folders, spec, base = bench(tmp_path, qcow2())
    steps: list[str] = []
    sync, rename = os.fsync, Path.rename

    def noted_sync(descriptor: int) -> None:
        steps.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        steps.append(f"{path.name} is {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    folders.make(spec, base)
    new = f".{SPEC.id}.new"
    assert steps == ["disk.qcow2", "images", new, f"{new} is {SPEC.id}", "guests"]
