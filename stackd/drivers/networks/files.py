"""Files that are whole or not there at all, for drivers that keep their state in a folder."""

import os
from pathlib import Path


def write_whole(path: Path, content: str) -> bool:
    """Write under a temporary name, then rename; whether the content is another than before.

    A crash leaves the old content or the new, never a part. The folder is made where it is missing, for root only.
    """
    if read_text(path) == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.new")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return True


def read_text(path: Path) -> str:
    """The content; empty when there is no such file."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
