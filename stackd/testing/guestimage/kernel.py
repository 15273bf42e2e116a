"""The kernel of the demo guest and the few modules it needs, in the order they must be loaded.

``build.py`` calls it; ``modprobe`` itself is asked for the order, since dependencies move between kernels.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from stackd.testing.guestimage.packages import run

RAMDISK_MODULES = ("virtio_pci", "virtio_blk")
ROOT_MODULES = ("virtio_net", "virtio_balloon", "evdev", "button", "virtio-rng", "virtio_console",
                "isofs", "vfat", "nls_ascii", "nls_cp437")
SECONDS = 60


def vmlinuz(package: Path) -> Path:
    """The kernel in its unpacked package."""
    return next((package / "boot").glob("vmlinuz-*"))


def load_order(package: Path, names: Iterable[str]) -> list[Path]:
    """The files of these modules and all they need, each after what it depends on; built-in ones have none."""
    release = vmlinuz(package).name.removeprefix("vmlinuz-")
    if not (package / "lib/modules" / release / "modules.dep").exists():
        run(["depmod", "-b", str(package), release], SECONDS)
    order: dict[Path, None] = {}
    for name in names:
        shown = run(["modprobe", "-d", str(package), "-S", release, "--show-depends", name], SECONDS)
        for line in shown.splitlines():
            word, _, path = line.strip().partition(" ")
            if word == "insmod":
                order[Path(path.split()[0])] = None
    return list(order)


def place(modules: Iterable[Path], folder: Path) -> None:
    """Copy the modules, without their debug symbols where ``strip`` is at hand, and write the file ``order``."""
    folder.mkdir(parents=True)
    names = []
    for module in modules:
        copied = Path(shutil.copy(module, folder))
        if shutil.which("strip"):
            run(["strip", "-g", str(copied)], SECONDS)
        names.append(copied.name)
    (folder / "order").write_text("".join(f"{name}\n" for name in names))
