"""Builds the demo guest image into a folder: AKI, ARI and AMI files, and a bootable whole disk.

``python -m stackd.testing.guestimage`` and ``make cloud`` call :func:`build`. A build is keyed by a hash of the
packages' versions and of this package's own source; a second call with the same key returns at once.
"""

import fcntl
import gzip
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from attrs import asdict, frozen

from stackd.testing.guestimage import disk, kernel, trees
from stackd.testing.guestimage.packages import kernel_package, run, unpack, versions

ROOT_MIB = 20
CMDLINE = "root=/dev/vda console=ttyS0 quiet mitigations=off no_timer_check"
SECONDS = 60
Say = Callable[[str], None]


@frozen(kw_only=True)
class GuestImage:
    """The files made: an AMI with its AKI and ARI, and the same guest as a bootable qcow2 disk."""

    aki: str
    ari: str
    ami: str
    qcow2: str
    key: str


def build(folder: Path, say: Say = print) -> GuestImage:
    """Make the image where it is not there yet; ``say`` gets a line per step. Raises ``BadConfiguration``.

    Builds into one folder wait for each other.
    """
    folder = folder.absolute()  # its tools run in folders of their own
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(folder, say)


def _build(folder: Path, say: Say) -> GuestImage:
    linux = kernel_package()
    wanted = versions((linux, *trees.PACKAGES, *disk.PACKAGES))
    image = _named(folder, _key(wanted))
    if _stands(image, folder):
        say(f"the guest image in {folder} is up to date")
        return image
    begun = time.monotonic()
    say(f"fetching and unpacking {len(wanted)} Debian packages")
    packages = unpack(wanted, folder / "packages")
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    _make(image, packages, packages[linux], work, say)
    shutil.rmtree(work)
    _write(folder / "image.json", json.dumps(asdict(image), indent=1).encode())
    say(f"the guest image is in {folder} after {time.monotonic() - begun:.1f} s")
    return image


def _make(image: GuestImage, packages: dict[str, Path], linux: Path, work: Path, say: Say) -> None:
    say("making the ramdisk")
    trees.ramdisk(work / "ramdisk", packages, linux)
    _write(Path(image.ari), gzip.compress(cpio(work / "ramdisk"), 6, mtime=0))
    _write(Path(image.aki), kernel.vmlinuz(linux).read_bytes())
    say("making the root file system")
    trees.root(work / "root", packages, linux)
    ami = work / "ami"
    file_system(work / "root", ami, ROOT_MIB)
    ami.rename(image.ami)
    say("making the bootable disk")
    boot = work / "root/boot"
    boot.mkdir()
    shutil.copy(image.aki, boot / "vmlinuz")
    shutil.copy(image.ari, boot / "ramdisk")
    disk.bootable(work, packages, Path(image.qcow2), file_system)


def file_system(tree: Path, target: Path, mib: int, offset: int = 0) -> None:
    """An ext4 file system of ``mib`` MiB holding ``tree``, ``offset`` bytes into the file ``target``."""
    with target.open("ab") as opened:
        opened.truncate(offset + mib * 1024 * 1024)
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal,^64bit,^metadata_csum", "-m", "0",
         "-E", f"root_owner=0:0,offset={offset}", "-d", str(tree), str(target), f"{mib}M"], SECONDS)


def cpio(tree: Path) -> bytes:
    """The tree as a ramdisk's archive, all of it root's."""
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    archive = tree.parent / "ramdisk.cpio"
    run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet", "-F", str(archive)], SECONDS, tree,
        "\n".join(names).encode())
    return archive.read_bytes()


def _key(wanted: dict[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(wanted.items())).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _named(folder: Path, key: str) -> GuestImage:
    def path(name: str) -> str:
        return str(folder / name)

    return GuestImage(aki=path("vmlinuz"), ari=path("ramdisk.gz"), ami=path("root.ext4"), qcow2=path("disk.qcow2"),
                      key=key)


def _stands(image: GuestImage, folder: Path) -> bool:
    """The marker is written last, so it stands only beside whole files."""
    marker = folder / "image.json"
    return marker.exists() and json.loads(marker.read_bytes()) == asdict(image)


def _write(target: Path, content: bytes) -> None:
    partial = target.with_name(target.name + ".partial")
    partial.write_bytes(content)
    partial.rename(target)
