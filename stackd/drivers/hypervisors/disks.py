"""The folder of each guest on a host: its disk and its serial console; blocking.

A guest's folder appears whole and goes at once, by renaming: it stands exactly when the guest is prepared, also after
a loss of power. ``domains.py`` calls it.
"""

import errno
import os
import re
import shutil
import signal
import struct
import subprocess
from pathlib import Path

from stackd.drivers import durable
from stackd.drivers.hypervisors.imagecache import virtual_size
from stackd.drivers.hypervisors.images import files_of
from stackd.errors import PermanentFailure, TransientFailure
from stackd.model.guests import GuestSpec
from stackd.model.images import ImageFile

MIB = 1024 ** 2
GIB = 1024 ** 3
SECTOR = 512
SECONDS = 60
_ID = re.compile(r"[0-9a-f]{32}")
_MADE = re.compile(r"\.?[0-9a-f]{32}(\.new)?")
_OVERLAY = struct.Struct(">4sIQI")
"""Of a qcow2: magic, version, and where the name of its backing file is and how long."""
_OF_THE_HOST = tuple(map(os.strerror, (
    errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS, errno.EACCES,
    errno.EPERM, errno.ENOENT)))
"""Why qemu-img fails though the image is good: another try may do."""
_CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE)
"""How qemu-img ends over an image it cannot bear; another signal was sent by somebody."""


class GuestFolders:
    """All guests' folders under one."""

    def __init__(self, folder: Path, console_bytes: int) -> None:
        """``console_bytes`` bounds what is kept of each console."""
        self._folder = folder
        self._half = console_bytes // 2

    def ids(self) -> tuple[str, ...]:
        """The guests that are prepared."""
        try:
            return tuple(sorted(path.name for path in self._folder.iterdir() if _ID.fullmatch(path.name)))
        except FileNotFoundError:
            return ()

    def prepared(self, id: str) -> bool:
        """Whether this one is."""
        return self.disk(id).exists()

    def disk(self, id: str) -> Path:
        """The root disk."""
        return self._folder / id / "disk.qcow2"

    def console(self, id: str) -> Path:
        """What the serial console wrote last; what came before is beside it."""
        return self._folder / id / "console.log"

    def make(self, spec: GuestSpec, base: Path) -> None:
        """Make the guest's disk over ``base`` unless it is there."""
        if self.prepared(spec.id):
            return
        size = disk_size(spec, virtual_size(base, spec.image.disk))
        made = self._folder / f".{spec.id}.new"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        _make_overlay(made / "disk.qcow2", size, base.absolute(), spec.image.disk)
        (made / "console.log").touch()
        (made / "images").write_text("\n".join(file.id for file in files_of(spec.image)))
        for path in (made / "disk.qcow2", made / "images", made):
            durable.sync(path)
        durable.rename(made, self._folder / spec.id)

    def images(self) -> set[str]:
        """Ids of the image files that guests need, those being made among them; raises ``OSError`` when unsure.

        A guest's disk stands on its image by the image's name; kernel and ramdisk are named beside it.
        """
        found: set[str] = set()
        for path in self._folder.iterdir() if self._folder.exists() else ():
            if _MADE.fullmatch(path.name):
                found |= _images_of(path)
        return found

    def remove(self, id: str) -> None:
        """Remove the guest's folder, also one that was begun."""
        gone = self._folder / f".{id}.gone"
        if (self._folder / id).exists():
            shutil.rmtree(gone, ignore_errors=True)
            (self._folder / id).rename(gone)
        for path in (gone, self._folder / f".{id}.new"):
            shutil.rmtree(path, ignore_errors=True)

    def console_tail(self, id: str, length: int) -> bytes:
        """The last bytes of the console, over both of its files."""
        self.bound_console(id)
        kept = b"".join(path.read_bytes() for path in (self._older(id), self.console(id)) if path.exists())
        return kept[-length:] if length > 0 else b""

    def bound_console(self, id: str) -> None:
        """Keep the console's files within their bound; safe while the guest writes, which it does by appending."""
        log = self.console(id)
        try:
            if log.stat().st_size <= self._half:
                return
            with log.open("r+b") as opened:
                opened.seek(-self._half, 2)
                partial = self._older(id).with_suffix(".partial")
                partial.write_bytes(opened.read(self._half))
                partial.rename(self._older(id))
                opened.truncate(0)
        except FileNotFoundError:
            return

    def _older(self, id: str) -> Path:
        return self._folder / id / "console.old"


def _images_of(folder: Path) -> set[str]:
    try:
        named = set((folder / "images").read_text().split())
    except FileNotFoundError:
        named = set()
    try:
        return named | {_backing_file(folder / "disk.qcow2")}
    except FileNotFoundError:
        return named


def _backing_file(disk: Path) -> str:
    with disk.open("rb") as opened:
        head = opened.read(_OVERLAY.size)
        if len(head) < _OVERLAY.size or not head.startswith(b"QFI\xfb"):
            raise OSError(f"{disk} is no qcow2 image")
        _, _, offset, length = _OVERLAY.unpack(head)
        opened.seek(offset)
        return Path(opened.read(length if offset else 0).decode()).name


def disk_size(spec: GuestSpec, image_size: int) -> int:
    """How large the root disk is in bytes; raises ``PermanentFailure`` when the image is larger than the flavor."""
    wanted = spec.disk_gib * GIB or -(-image_size // SECTOR) * SECTOR
    if image_size > wanted:
        raise PermanentFailure(
            f"Image {spec.image.id} needs a disk of {-(-image_size // GIB)} GiB, the flavor has {spec.disk_gib} GiB.",
            remedy="Launch it with a larger flavor.")
    return wanted


def _make_overlay(disk: Path, size: int, base: Path, image: ImageFile) -> None:
    """A disk over an image; raises ``PermanentFailure`` when it is the image that cannot be used."""
    form = "qcow2" if image.disk_format == "qcow2" else "raw"
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", str(base), str(disk), str(size)]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransientFailure(f"qemu-img could not be run: {error}") from error
    words = done.stderr.decode(errors="replace").strip()[-300:]
    if done.returncode in (1, *_CRASHES) and not any(reason in words for reason in _OF_THE_HOST):
        # The first line tells why; where the host keeps its files is nobody's business.
        reason = words.partition("\n")[0].removeprefix(f"qemu-img: {disk}: ")
        for path, name in ((disk, "the disk"), (base, "the image")):
            reason = reason.replace(str(path), name)
        raise PermanentFailure(f"Image {image.id} cannot be used: {reason or 'qemu-img crashes on it'}.",
                               remedy="Convert it with 'qemu-img convert', upload it again and launch another.")
    if done.returncode:
        raise TransientFailure(f"qemu-img failed: {words}")
