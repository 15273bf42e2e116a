"""The images a host has: fetched once, checked while they stream in, and refused when they are hostile.

A file in the cache is whole and safe: it is written under another name and renamed at the end. ``libvirt.py`` calls
it before it makes a guest's disks. A file's time of change is when it was last wanted; what no guest refers to is
removed some time after that.
"""

import os
import re
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from oslo_utils.imageutils import format_inspector
from twisted.internet.defer import DeferredLock

from stackd.drivers import durable
from stackd.drivers.hypervisors.images import checked_blocks
from stackd.errors import DriverFailure, PermanentFailure, StackdError, TransientFailure
from stackd.interfaces.images import IImages
from stackd.model.images import ImageFile

BOOT_FORMATS = ("aki", "ari")
RAW_FORMATS = ("raw", "ami")
RAW_CONTENTS = ("raw", "gpt", "iso", "luks")
"""What a raw disk may look like from outside; anything else is another format under a false name."""
InThread = Callable[..., Awaitable[object]]
_WHOLE = re.compile(r"[0-9a-f]{32}")
_PARTIAL, _AGED = ".partial", ".aged"


class ImageCache:
    """The image files of one host, by id, in ``folder``; ``in_thread`` runs a blocking function."""

    def __init__(self, folder: Path, images: IImages, in_thread: InThread) -> None:
        """The folder is made with the first image."""
        self._folder = folder
        self._images = images
        self._in_thread = in_thread
        self._fetching: dict[str, DeferredLock] = {}

    def path(self, file: ImageFile) -> Path:
        """Where the file is or will be."""
        return self._folder / file.id

    async def ensure(self, file: ImageFile) -> Path:
        """Fetch the file unless it is there; one fetch per file at a time.

        Raises ``ImageVanished``, ``PermanentFailure`` for a format that lies or refers to other files, and
        ``TransientFailure`` for all that may pass.
        """
        path = self.path(file)
        if _wanted_now(path):
            return path
        lock = self._fetching.setdefault(file.id, DeferredLock())
        await lock.acquire()
        try:
            if not _wanted_now(path):
                await self._fetch(file, path)
        finally:
            lock.release()
            if not lock.locked:
                self._fetching.pop(file.id, None)
        return path

    async def age_out(self, before: float, referred: Callable[[], Collection[str]]) -> tuple[str, ...]:
        """Remove the images last wanted before ``before`` (epoch seconds) and not among ``referred()``; their ids.

        ``referred`` gives the ids that guests need and blocks. When it raises, nothing is removed. A file goes by
        renaming, in one step with a last look at its time: one that is wanted at this moment stays, and a crash
        leaves it whole or gone.
        """
        old = [path.name for path in _files(self._folder) if _WHOLE.fullmatch(path.name) and _older(path, before)]
        needed = await self._asked(referred) if old else ()
        gone = [name for name in old if name not in needed and self._take_away(name, before)]
        for path in _files(self._folder):
            # Those of this round, and what a crash left of earlier ones and of fetches.
            if path.suffix == _AGED or (path.suffix == _PARTIAL and _older(path, before)):
                await self._in_thread(path.unlink, True)
        return tuple(gone)

    async def _asked(self, referred: Callable[[], Collection[str]]) -> Collection[str]:
        found: list[Collection[str]] = []
        await self._in_thread(lambda: found.append(referred()))
        return found[0]

    def _take_away(self, name: str, before: float) -> bool:
        # Not in a thread: nothing may want the file between the look and the renaming.
        path = self._folder / name
        if name in self._fetching or not _older(path, before):
            return False
        path.rename(path.with_name(f".{name}{_AGED}"))
        return True

    async def _fetch(self, file: ImageFile, path: Path) -> None:
        partial = path.with_name(f".{file.id}{_PARTIAL}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as opened:
                async for block in checked_blocks(self._images, file):
                    await self._in_thread(opened.write, block)
            await self._in_thread(durable.sync, partial)
            await self._in_thread(demand_honest, partial, file)
            await self._in_thread(durable.rename, partial, path)
        except DriverFailure:
            raise
        except (StackdError, OSError) as error:
            raise TransientFailure(f"Image {file.id} could not be fetched: {error}") from error
        finally:
            partial.unlink(missing_ok=True)


def _wanted_now(path: Path) -> bool:
    """Note that the file is wanted; False when it is not there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:
        pass  # libvirtd gave it to QEMU's user: a guest stands on it
    return True


def _older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def demand_honest(path: Path, file: ImageFile) -> None:
    """Raise ``PermanentFailure`` unless the bytes are of the format the catalogue says and stand alone."""
    if file.disk_format in BOOT_FORMATS:
        return
    if file.disk_format not in (*RAW_FORMATS, "qcow2"):
        raise PermanentFailure(f"Image {file.id} has the format {file.disk_format}, which this host cannot boot.",
                               remedy="Convert the image to qcow2 or raw.")
    try:
        found = format_inspector.detect_file_format(str(path))
        if found is not None and file.disk_format == str(found) == "qcow2":
            found.safety_check()
            return
    except format_inspector.SafetyCheckFailed as error:
        reasons = "; ".join(str(failure) for failure in error.failures.values())
        raise PermanentFailure(f"Image {file.id} is not safe to boot: {reasons}.",
                               remedy="Flatten the image with 'qemu-img convert' and upload it again.") from error
    except format_inspector.ImageFormatError as error:
        raise PermanentFailure(f"Image {file.id} is no image that can be understood: {error}") from error
    if file.disk_format == "qcow2" or str(found) not in RAW_CONTENTS:
        raise PermanentFailure(f"Image {file.id} is said to be {file.disk_format}, but its bytes are {found}.",
                               remedy="Upload the image again with the right disk format.")


def virtual_size(path: Path, file: ImageFile) -> int:
    """How many bytes a guest sees of a disk image in the cache."""
    if file.disk_format == "qcow2":
        return int(format_inspector.QcowInspector.from_file(str(path)).virtual_size)
    return path.stat().st_size
