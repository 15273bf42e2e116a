"""The two file trees of the demo guest: the ramdisk (ARI) and the root file system (AMI).

``build.py`` packs them. Nothing needs root: the guest gives its files to root when it boots.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from stackd.testing.guestimage import kernel, scripts
from stackd.testing.guestimage.packages import run

LIBRARIES = {
    "libc6": ("ld-linux-x86-64.so.2", "libc.so.6", "libresolv.so.2", "libm.so.6"),
    "libcrypt1": ("libcrypt.so.1",),
    "libtomcrypt1": ("libtomcrypt.so.1",),
    "libtommath1": ("libtommath.so.1",),
    "libgmp10": ("libgmp.so.10",),
    "zlib1g": ("libz.so.1",),
}
PACKAGES = ("busybox", "busybox-static", "dropbear-bin", *LIBRARIES)
LOADER = "ld-linux-x86-64.so.2"
ROOT_FOLDERS = ("bin", "dev", "etc/acpi", "lib/x86_64-linux-gnu", "lib64", "mnt", "proc", "root", "run", "sbin", "sys",
                "tmp", "usr/bin", "usr/sbin", "var/log")


def ramdisk(folder: Path, packages: Mapping[str, Path], linux: Path) -> None:
    """Just enough to find and mount the root disk."""
    for name in ("bin", "dev", "new", "proc", "sys"):
        (folder / name).mkdir(parents=True)
    busybox = folder / "bin/busybox"
    shutil.copy(packages["busybox-static"] / "bin/busybox", busybox)
    for applet in ("sh", "mount", "insmod", "cat", "sleep", "switch_root", "poweroff", "echo"):
        (folder / "bin" / applet).symlink_to("busybox")
    kernel.place(kernel.load_order(linux, kernel.RAMDISK_MODULES), folder / "modules")
    _program(folder / "init", scripts.RAMDISK_INIT)


def root(folder: Path, packages: Mapping[str, Path], linux: Path) -> None:
    """busybox, dropbear, their libraries, the modules and our scripts."""
    for name in ROOT_FOLDERS:
        (folder / name).mkdir(parents=True)
    _busybox(folder, packages["busybox"] / "bin/busybox")
    for name in ("usr/sbin/dropbear", "usr/bin/dropbearkey", "usr/bin/dbclient"):
        shutil.copy(packages["dropbear-bin"] / name, folder / name)
    for package, names in LIBRARIES.items():
        for name in names:
            found = next(path for path in packages[package].rglob(name) if path.exists())
            shutil.copy(found.resolve(), folder / "lib/x86_64-linux-gnu" / name)
    (folder / "lib64" / LOADER).symlink_to(f"/lib/x86_64-linux-gnu/{LOADER}")
    kernel.place(kernel.load_order(linux, kernel.ROOT_MODULES), folder / "lib/modules")
    for path, text in scripts.PLAIN_FILES.items():
        (folder / path).write_text(text)
    for path, text in scripts.PROGRAMS.items():
        _program(folder / path, text)


def _busybox(folder: Path, program: Path) -> None:
    """One link per applet, where busybox itself says it belongs."""
    shutil.copy(program, folder / "bin/busybox")
    for line in run([str(program), "--list-full"], 10).split():
        link = folder / line
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to("/bin/busybox")


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
