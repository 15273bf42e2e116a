"""The lock a worker holds for life, so that no host has two of a kind; ``daemons.hosts`` takes it.

It is the kernel's lock of a file: it goes with the process, however that ends, and with the commands the process has
started and that inherit it, so that a new worker begins when the steps of the old one have ended.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stackd import errors


class HostLock:
    """One lock held."""

    def __init__(self, path: Path) -> None:
        """Take it; raises ``BadConfiguration`` while another process holds it.

        ``Unavailable`` where that process is gone, and only commands it has started still run.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._taken(path) from None
        os.truncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let it go; commands that inherited it still hold it."""
        os.close(self.descriptor)

    def _taken(self, path: Path) -> errors.StackdError:
        holder = os.pread(self.descriptor, 20, 0).decode().strip()
        self.release()
        if holder and not _lives(holder):
            return errors.Unavailable(f"Steps that the worker before began still run; they hold {path}.")
        return errors.BadConfiguration(
            f"This host's worker runs already: process {holder or 'unknown'} holds {path}.",
            remedy="Stop that one first; a worker of another host needs a state folder of its own.")


class HostLocks:
    """The locks of a process that has the workers of one or both kinds."""

    def __init__(self, folder: Path, host: str, kinds: Sequence[str]) -> None:
        """All of them or none; raises what :class:`HostLock` does."""
        self._held = ExitStack()
        self._locks: list[HostLock] = []
        with self._held:
            for kind in kinds:
                lock = HostLock(folder / f"{kind}@{host}.lock")
                self._held.callback(lock.release)
                self._locks.append(lock)
            self._held = self._held.pop_all()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the commands of these workers inherit."""
        return tuple(lock.descriptor for lock in self._locks)

    def release(self) -> None:
        """Let all of them go."""
        self._held.close()
        self._locks.clear()


def _lives(pid: str) -> bool:
    """Whether the process runs; one that has ended and waits to be noticed does not."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False
