"""A virtual machine with this machine's files and Debian's cloud kernel, for what few kernels have: VLANs and more.

Its root is this machine's, by virtiofs and read only, with everything it writes in its memory: a command runs there
as here, and leaves nothing behind. Tests ask for it; nothing of the product does. It is emulated: Python's imports take
twenty times as long as here.
"""

import gzip
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from stackd.errors import BadConfiguration
from stackd.testing.guestimage import kernel
from stackd.testing.guestimage.build import cpio
from stackd.testing.guestimage.packages import kernel_package, unpack, versions

VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
BUSYBOX = "busybox-static"
MODULES = ("virtio_pci", "virtiofs", "overlay")
MEMORY = "1024M"
TAG = "host"
REMEDY = "As root: apt-get install qemu-system-x86 busybox-static kmod cpio"
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read module; do insmod "/modules/$module"; done < /modules/order
mount -t virtiofs -o ro host /ro
mount -t tmpfs tmpfs /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work overlay /new
mount -t tmpfs tmpfs /new/run
cp /command /new/run/command
for each in dev proc sys; do mount --move "/$each" "/new/$each"; done
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts devpts /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm
# Modules are loaded on demand in the root of the first process, so it must be this one.
exec switch_root /new /bin/sh /run/command
"""
COMMAND = """
rm -rf /usr/lib/modules
ln -s {modules} /usr/lib/modules
hostname lab
ip link set lo up
cd {folder}
env -i {environment} {argv} </dev/null
echo $? > /dev/ttyS1
busybox poweroff -f
"""


@frozen
class Outcome:
    """The exit status of a command in the machine, and what it and the kernel printed."""

    status: int
    output: str


def run(argv: Sequence[str], kept: Path, environment: Mapping[str, str], seconds: float) -> Outcome:
    """Run a command as root in a machine that is there for it only, in the present folder.

    The kernel's package is fetched into the folder ``kept`` when it is not there. Raises ``BadConfiguration`` for what
    is missing here, ``TimeoutError`` when it takes longer than ``seconds``.
    """
    with tempfile.TemporaryDirectory(prefix="lab") as made:
        work = Path(made)
        name = kernel_package()
        packages = unpack(versions((name, BUSYBOX)), kept / "packages")
        linux = packages[name]
        _ramdisk(work, linux, packages[BUSYBOX], _command(argv, linux, environment))
        return _boot(work, kernel.vmlinuz(linux), seconds)


def _command(argv: Sequence[str], linux: Path, environment: Mapping[str, str]) -> str:
    return COMMAND.format(modules=shlex.quote(str(linux.resolve() / "lib/modules")),
                          folder=shlex.quote(str(Path.cwd())), argv=shlex.join(argv),
                          environment=shlex.join(f"{name}={value}" for name, value in environment.items()))


def _ramdisk(work: Path, linux: Path, busybox: Path, command: str) -> None:
    tree = work / "tree"
    for folder in ("bin", "dev", "proc", "sys", "ro", "rw", "new"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(busybox / "bin/busybox", tree / "bin/busybox")
    kernel.place(kernel.load_order(linux, MODULES), tree / "modules")
    (tree / "command").write_text(command)
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    (work / "ramdisk").write_bytes(gzip.compress(cpio(tree), 1))


def _boot(work: Path, linux: Path, seconds: float) -> Outcome:
    socket, status, output = work / "fs", work / "status", work / "output"
    try:
        files = subprocess.Popen(
            [VIRTIOFSD, f"--socket-path={socket}", "-o", "source=/", "-o", "cache=always", "-o", "xattr",
             "-o", "sandbox=chroot", "--thread-pool-size=4"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise BadConfiguration(f"{VIRTIOFSD} is not installed.", remedy=REMEDY) from None
    try:
        with output.open("wb") as written:
            subprocess.run(_machine(linux, work / "ramdisk", socket, status), stdin=subprocess.DEVNULL, stdout=written,
                           stderr=subprocess.STDOUT, timeout=seconds, check=False)
    except FileNotFoundError:
        raise BadConfiguration("qemu-system-x86_64 is not installed.", remedy=REMEDY) from None
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"The lab machine did not end within {seconds:.0f} s: {_text(output)[-2000:]}") from None
    finally:
        files.kill()
        files.wait(seconds)
    return Outcome(int(_text(status).strip() or -1), _text(output))


def _machine(linux: Path, ramdisk: Path, socket: Path, status: Path) -> list[str]:
    return ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-M", "q35,memory-backend=mem",
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(min(os.cpu_count() or 1, 4)), "-m", MEMORY,
            "-object", f"memory-backend-memfd,id=mem,size={MEMORY},share=on",
            "-chardev", f"socket,id=fs,path={socket}",
            "-device", f"vhost-user-fs-pci,queue-size=1024,chardev=fs,tag={TAG}",
            "-serial", "stdio", "-serial", f"file:{status}", "-kernel", str(linux), "-initrd", str(ramdisk),
            "-append", "console=ttyS0 quiet mitigations=off panic=-1"]


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
