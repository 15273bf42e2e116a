"""Files and names that are still there after a host lost its power; blocking.

What was written is on the disk only when it was synced, and its name only when its folder was. The image stores and
the hypervisors' folders call it.
"""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(path: Path, target: Path) -> None:
    """Give what is synced its name, for good."""
    path.rename(target)
    sync(target.parent)
