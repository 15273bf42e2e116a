"""Files only their owner may read: secrets that are made once and kept, and texts with passwords that replace others.

The daemons' parts, bootstrapping and ``stackd host`` call it.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from stackd import errors


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in this file; ``make`` gives it when there is none yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _beside(path) as (mine, file):
            file.write(make() + "\n")
            file.flush()
            # Of several processes that start at once the first makes it, whole; all read the same.
            with contextlib.suppress(FileExistsError):
                os.link(mine, path)
    return path.read_text()


def given(path: Path) -> str:
    """The secret in this file, which was made elsewhere: another one would be wrong. Raises ``BadConfiguration``."""
    try:
        return path.read_text()
    except OSError as error:
        words = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise errors.BadConfiguration(
            f"{path} {words}.", remedy="Copy it from the state folder of a stack-api, as a file of this daemon's user; "
            "'stackd bootstrap' makes that of a new cloud.") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """To write a text that takes the place of this file in one step, when all went well; else the old one stays."""
    with _beside(path) as (mine, file):
        yield file
        file.flush()
        mine.rename(path)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, TextIO]]:
    """A new file of this process in the same folder; gone at the end unless it was renamed."""
    mine = path.with_name(f".{path.name}.{os.getpid()}")
    mine.unlink(missing_ok=True)
    try:
        with open(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            yield mine, file
    finally:
        mine.unlink(missing_ok=True)
