"""Debian packages, fetched with apt and unpacked without installing them; no root is needed.

``build.py`` calls it. What was fetched is kept, so that a second build needs no network.
"""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from stackd.errors import BadConfiguration

FETCH_SECONDS = 300
UNPACK_SECONDS = 60
ADMIN_PATH = ":/usr/sbin:/sbin"
"""Where Debian keeps depmod and mke2fs; not in every user's path."""
UPDATE = "Run 'apt-get update' on a Debian 12 system."
KERNEL = "linux-image-cloud-amd64"


def run(argv: list[str], seconds: float, cwd: Path | None = None, stdin: bytes | None = None) -> str:
    """The output of a command; raises ``BadConfiguration`` with its last words."""
    try:
        done = subprocess.run(argv, cwd=cwd, input=stdin, capture_output=True, timeout=seconds, check=False,
                              env={**os.environ, "PATH": os.environ.get("PATH", os.defpath) + ADMIN_PATH})
    except FileNotFoundError:
        raise BadConfiguration(f"{argv[0]} is not installed.",
                               remedy="As root: apt-get install kmod e2fsprogs cpio qemu-utils") from None
    except subprocess.TimeoutExpired:
        raise BadConfiguration(f"{argv[0]} did not end within {seconds:.0f} s.", remedy="Try again.") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise BadConfiguration(f"{' '.join(argv[:4])} ended with {done.returncode}: {' '.join(said)}",
                               remedy="See what it says; 'apt-get update' helps when a package was not found.")
    return done.stdout.decode(errors="replace")


def kernel_package() -> str:
    """The package that the newest cloud kernel of this Debian really is in."""
    found = re.search(r"Depends: (linux-image-\S+)", run(["apt-cache", "depends", KERNEL], UNPACK_SECONDS))
    if not found:
        raise BadConfiguration(f"apt knows no {KERNEL}.", remedy=UPDATE)
    return found[1]


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version apt would fetch of each package."""
    known: dict[str, str] = {}
    for block in run(["apt-cache", "policy", *names], UNPACK_SECONDS).split("\n  Version table:"):
        for name, version in re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)", block, re.MULTILINE):
            known[name] = version
    missing = sorted(set(names) - set(known))
    if missing:
        raise BadConfiguration(f"apt knows no {', '.join(missing)}.", remedy=UPDATE)
    return known


def unpack(wanted: dict[str, str], cache: Path) -> dict[str, Path]:
    """Each package unpacked in a folder of its own; fetches those of a version that is not there yet."""
    folders = {name: cache / f"{name}_{version.replace(':', '%3a')}" for name, version in wanted.items()}
    missing = [name for name, folder in folders.items() if not folder.exists()]
    if missing:
        fetched = cache / "fetched"
        fetched.mkdir(parents=True, exist_ok=True)
        run(["apt-get", "-q", "download", *(f"{name}={wanted[name]}" for name in missing)], FETCH_SECONDS, fetched)
        for name in missing:
            partial = folders[name].with_suffix(".partial")
            (archive,) = fetched.glob(f"{name}_*.deb")
            run(["dpkg", "-x", str(archive), str(partial)], UNPACK_SECONDS)
            partial.rename(folders[name])
            archive.unlink()
    return folders
