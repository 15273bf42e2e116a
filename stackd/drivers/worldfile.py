"""A fake host's world in a file, so that what it holds outlives the worker's process, as real guests do.

The drivers of fake worlds read it before each verb and write it after each change, whole and in one step: a process
killed in between leaves the world as it was before the change or after it. Checks of a whole cloud read it, too.
"""

import os
from pathlib import Path
from typing import Any

import orjson


class WorldFile:
    """One JSON file that several objects, of one process or of many, may look at."""

    def __init__(self, path: Path) -> None:
        """Its folder is made with the first write."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> Any:
        """The value; None when it is the one last read or written here, or when there is none."""
        try:
            if _identity(self._path.stat()) == self._seen:
                return None
            with self._path.open("rb") as file:
                self._seen = _identity(os.fstat(file.fileno()))
                return orjson.loads(file.read())
        except FileNotFoundError:
            return None

    def write(self, value: Any) -> None:
        """Replace the value."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with new.open("wb") as file:
            file.write(orjson.dumps(value))
        self._seen = _identity(new.stat())
        new.rename(self._path)


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size
