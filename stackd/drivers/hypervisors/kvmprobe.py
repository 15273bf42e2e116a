"""Whether KVM really works here, found out by running something: /dev/kvm existing proves nothing.

Under some hypervisors a guest starts, gets through its BIOS, and then crawls or hangs. So a boot sector does what
every kernel does first (page tables, long mode, a loop, a timer interrupt) and must be done within seconds; its
source is ``kvmprobe.S``. ``libvirt.py`` calls it once, in a thread.
"""

import os
import subprocess
import tempfile
from pathlib import Path

SECONDS = 5.0
KVM_DEVICE = "/dev/kvm"
CPU_FLAGS = {"vmx", "svm"}
EXIT_CODE = 0x29 * 2 + 1
"""What QEMU ends with when the boot sector wrote 0x29 to its exit device."""
_CODE = bytes.fromhex(
    "fa31c08ed88ec08ed0bc007cfcbf00106631c0b9000c66f3abc70600100320c70600200330c706003083000f20e06683"
    "c8200f22e066b8001000000f22d866b9800000c00f32660d000100000f300f20c0660d010000800f22c00f0116f87cea"
    "647c0800b980f0fa02ffc975fcbf00400000488d055e0000006689870002000066c78702020000080066c78704020000"
    "008e48c1e81066898706020000c78708020000000000000f011c25fe7c000031c00fa2b011e620b020e621b004e621b0"
    "01e621b0fee621b034e643b09ce640b02ee640fbf4ebfd66ba0105b029eef490000000000000000000000000009a2000"
    "00000000009200001700e07c00000f020040"
)
BOOT_SECTOR = _CODE.ljust(510, b"\0") + b"\x55\xaa"


def kvm_works() -> bool:
    """Try it; at most some seconds, and none where the processor cannot."""
    flags = set(Path("/proc/cpuinfo").read_text().split())
    return bool(flags & CPU_FLAGS) and os.access(KVM_DEVICE, os.R_OK | os.W_OK) and boots("kvm")


def boots(accelerator: str, seconds: float = SECONDS) -> bool:
    """Whether QEMU with this accelerator (``kvm`` or ``tcg``) gets through the boot sector in time."""
    with tempfile.TemporaryDirectory(prefix="stackd-kvm") as folder:
        disk = Path(folder) / "sector"
        disk.write_bytes(BOOT_SECTOR)
        argv = ["qemu-system-x86_64", "-M", "pc", "-accel", accelerator, "-m", "16", "-nodefaults", "-display", "none",
                "-no-reboot", "-drive", f"file={disk},format=raw,if=floppy",
                "-device", "isa-debug-exit,iobase=0x501,iosize=1"]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=seconds, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == EXIT_CODE
