"""The demo guest image: its files are what their names say, and building it again costs and changes nothing."""

import gzip
from pathlib import Path

from stackd.testing.guestimage import build as building
from stackd.testing.guestimage.build import GuestImage
from tests.live.libvirt_fixtures import CACHE, guest_image

__all__ = ["guest_image"]

EXT4_MAGIC_AT = 1080


def test_the_files_are_a_kernel_a_ramdisk_a_file_system_and_a_disk(guest_image: GuestImage) -> None:
    assert Path(guest_image.aki).read_bytes()[514:518] == b"HdrS"
    assert gzip.decompress(Path(guest_image.ari).read_bytes()).startswith(b"070701")
    assert Path(guest_image.ami).read_bytes()[EXT4_MAGIC_AT:EXT4_MAGIC_AT + 2] == b"\x53\xef"
    assert Path(guest_image.qcow2).read_bytes()[:4] == b"QFI\xfb"


def test_it_is_small(guest_image: GuestImage) -> None:
    sizes = [Path(path).stat().st_size for path in (guest_image.aki, guest_image.ari, guest_image.ami)]
    assert sum(sizes) < 40 * 1024 * 1024


def test_a_second_build_leaves_the_files_alone_and_says_so(guest_image: GuestImage) -> None:
    before = Path(guest_image.ami).stat()
    lines: list[str] = []
    assert building.build(CACHE / "guestimage", lines.append) == guest_image
    assert [line for line in lines if "up to date" in line] == lines
    assert Path(guest_image.ami).stat().st_ino == before.st_ino
