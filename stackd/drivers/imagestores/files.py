"""Image bytes as files of one folder: written under a temporary name, made durable, then renamed.

The image service calls it. A file with a key's name is therefore always complete. Temporary files are locked by
the process that writes them, so that sweeping takes only what a crash left. All file access
runs in threads, by the function handed to the constructor.
"""

import errno
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from stackd import errors
from stackd.drivers import durable
from stackd.drivers.imagestores import keys
from stackd.interfaces.imagestore import IImageStore

log = Logger()
BLOCK = 1 << 20
PARTIAL = ".partial"


@implementer(IImageStore)
class FileImageStore:
    """One folder, one file a key."""

    def __init__(self, folder: str | Path, in_thread: Callable[..., Awaitable[Any]],
                 new_token: Callable[[], str]) -> None:
        """Make the folder, sweep what a crash left in it.

        ``in_thread(fn, *args)`` runs a blocking function (an executor's ``run``); ``new_token`` makes names unique.
        """
        self._folder = Path(folder)
        self._in_thread = in_thread
        self._new_token = new_token
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(self._folder)

    async def write(self, key: str, blocks: AsyncIterator[bytes]) -> int:
        """Write a temporary file block by block, flush it to disk, give it its name."""
        target = self._path(key)
        partial = self._folder / f".{key}.{self._new_token()}{PARTIAL}"
        descriptor = await self._run(_create, partial)
        size = 0
        try:
            async for block in blocks:
                await self._run(_write_all, descriptor, block)
                size += len(block)
            await self._run(_finish, descriptor, partial, target)
        except BaseException:
            await self._run(partial.unlink, True)
            raise
        finally:
            os.close(descriptor)
        return size

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Blocks of the file from ``offset``; deleting the key meanwhile does not disturb a reader."""
        descriptor = await self._run(_open, self._path(key), key)
        try:
            while length is None or length > 0:
                block = await self._run(os.pread, descriptor, BLOCK if length is None else min(BLOCK, length), offset)
                if not block:
                    return
                yield block
                offset += len(block)
                length = None if length is None else length - len(block)
        finally:
            os.close(descriptor)

    async def size(self, key: str) -> int | None:
        """The size of the file."""
        size: int | None = await self._run(_size, self._path(key))
        return size

    async def delete(self, key: str) -> None:
        """Remove the file."""
        await self._run(self._path(key).unlink, True)

    async def keys(self) -> tuple[str, ...]:
        """The names of all complete files, sorted; other names, folders and links are somebody else's."""
        names: tuple[str, ...] = await self._run(_names, self._folder)
        return names

    async def sweep(self) -> None:
        """Remove the temporary files of processes that died."""
        await self._run(_sweep, self._folder)

    def _path(self, key: str) -> Path:
        return self._folder / keys.check(key)

    async def _run(self, fn: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._in_thread(fn, *args)
        except OSError as error:
            raise _failure(error) from error


def _failure(error: OSError) -> errors.DriverFailure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return errors.TransientFailure("The image store is full.", remedy="Delete images that are no longer needed.")
    return errors.TransientFailure(f"The image store cannot be used now: {error.strerror}.")


def _create(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # another process started and swept it before it was locked


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view):]


def _finish(descriptor: int, partial: Path, target: Path) -> None:
    os.fsync(descriptor)
    durable.rename(partial, target)


def _names(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        return tuple(sorted(entry.name for entry in entries
                            if keys.allowed(entry.name) and entry.is_file(follow_symlinks=False)))


def _open(path: Path, key: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise keys.vanished(key) from None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _sweep(folder: Path) -> None:
    for leftover in folder.glob(f".*{PARTIAL}"):
        try:
            _remove_unless_written(leftover)
        except FileNotFoundError:
            continue  # another process has finished or swept it
        except OSError as error:
            log.warn("{name} could not be swept: {error}", name=leftover.name, error=error.strerror)


def _remove_unless_written(leftover: Path) -> None:
    descriptor = os.open(leftover, os.O_WRONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another process is writing it now
    else:
        leftover.unlink(missing_ok=True)
        log.info("removed {name}, left by a crash", name=leftover.name)
    finally:
        os.close(descriptor)
