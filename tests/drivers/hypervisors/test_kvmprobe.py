"""The boot sector that tries KVM is what its source says."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stackd.drivers.hypervisors import kvmprobe

SOURCE = Path(kvmprobe.__file__).with_suffix(".S")


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("ld")), reason="there is no assembler")
def test_the_bytes_are_those_of_the_source(tmp_path: Path) -> None:
    made, linked = tmp_path / "probe.o", tmp_path / "probe.bin"
    for argv in (["gcc", "-c", "-nostdlib", "-o", str(made), str(SOURCE)],
                 ["ld", "-Ttext", "0x7c00", "--oformat", "binary", "-o", str(linked), str(made)]):
        subprocess.run(argv, check=True, timeout=60, capture_output=True)
    assert linked.read_bytes() == kvmprobe.BOOT_SECTOR


def test_a_boot_sector_has_its_size_and_signature() -> None:
    assert (len(kvmprobe.BOOT_SECTOR), kvmprobe.BOOT_SECTOR[-2:]) == (512, b"\x55\xaa")
