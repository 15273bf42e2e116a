"""A bootable whole disk made without root, loop devices or mounts.

GRUB's boot sector and core image are written where the BIOS looks for them, before the one partition; the core
image carries its few modules and the four lines it runs. ``build.py`` calls it.
"""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from stackd.testing.guestimage.packages import run

PACKAGES = ("grub-pc-bin", "grub-common")
SECTOR = 512
START = 2048
"""The first sector of the partition, 1 MiB into the disk."""
DISK_MIB = 48
MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "serial", "echo")
SCRIPT = """\
set root=(hd0,msdos1)
linux /boot/vmlinuz root=/dev/vda1 console=ttyS0 quiet mitigations=off no_timer_check
initrd /boot/ramdisk
boot
"""
_BOOT_CODE = 440
_PARTITIONS = 446
SECONDS = 60


def bootable(work: Path, packages: Mapping[str, Path], target: Path,
             file_system: Callable[[Path, Path, int, int], None]) -> None:
    """A compressed qcow2 ``target`` that boots ``work/root``; ``file_system`` fills the partition."""
    raw = work / "disk.raw"
    mib = DISK_MIB - START * SECTOR // 1024 // 1024
    file_system(work / "root", raw, mib, START * SECTOR)
    modules = packages["grub-pc-bin"] / "usr/lib/grub/i386-pc"
    core = _core_image(work, packages["grub-common"] / "usr/bin/grub-mkimage", modules)
    with raw.open("r+b") as opened:
        opened.write((modules / "boot.img").read_bytes()[:_BOOT_CODE])
        opened.seek(_PARTITIONS)
        opened.write(_partition_table(mib * 1024 * 1024 // SECTOR))
        opened.write(core)
    partial = target.with_name(target.name + ".partial")
    run(["qemu-img", "convert", "-c", "-O", "qcow2", str(raw), str(partial)], SECONDS)
    partial.rename(target)


def _core_image(work: Path, program: Path, modules: Path) -> bytes:
    script, core = work / "grub.cfg", work / "core.img"
    script.write_text(SCRIPT)
    run([str(program), "-O", "i386-pc", "-d", str(modules), "-p", "/boot", "-c", str(script), "-o", str(core),
         *MODULES], SECONDS)
    return core.read_bytes()


def _partition_table(sectors: int) -> bytes:
    """Four entries and the signature: one active Linux partition; the old geometry fields are left at their limit."""
    limit = b"\xfe\xff\xff"
    entry = b"\x80" + limit + b"\x83" + limit + struct.pack("<II", START, sectors)
    return entry + bytes(48) + b"\x55\xaa"
