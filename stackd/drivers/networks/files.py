"""Files that are whole or not there at all, for drivers that keep their state in a folder."""

from pathlib import Path


def write_whole(path: Path, content: str) -> bool:
    """Write under a temporary name, then rename; whether the content is another than before.

    A crash of the process leaves the old content or the new, never a part. What a crash of the machine may leave
    is not waited for: the kernel's half is gone then too, and everything is wired again. The folder is made where
    it is missing, for root only.
    """
    if read_text(path) == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(content, "utf-8")
    temporary.replace(path)
    return True


def read_text(path: Path) -> str:
    """The content; empty when there is no such file."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
