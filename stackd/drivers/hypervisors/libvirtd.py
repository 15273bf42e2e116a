"""A private libvirtd: one per host folder, apart from the system's, without systemd, virtlogd or D-Bus.

libvirtd's folders are fixed when it is built, so each one runs in a mount namespace of its own in which those
folders are bound to ours, and in the network namespace of its host. Guests survive its end, and a new start finds
them again. ``stackd cloud --drivers real`` and the live tests call it. All methods block; call them in a thread.
"""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from stackd.errors import BadConfiguration, TransientFailure

START_SECONDS = 30.0
STOP_SECONDS = 10.0
SOCKET_PATH_LIMIT = 107
"""What AF_UNIX takes, less the zero at the end."""
BOUND = (("etc", "/etc/libvirt"), ("lib", "/var/lib/libvirt"), ("run", "/run/libvirt"), ("log", "/var/log/libvirt"),
         ("cache", "/var/cache/libvirt"))
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
UNWANTED = ("/usr/bin/qemu-system-i386",)
"""Emulators libvirtd would spend seconds on getting to know, and that no guest of ours uses; hidden from it."""
FOLDERS = ("etc", "lib/qemu", "run", "log", "cache", "sock")
NEEDED = {"libvirtd": "libvirt-daemon-system", "qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils",
          "unshare": "util-linux", "ip": "iproute2"}

ENTER = """\
#!/bin/sh
# Arguments: host name, then pairs of what to bind and where, then -- and the command.
set -e
hostname "$1"
shift
while [ "$1" != "--" ]; do
    [ -e "$2" ] || mkdir -p "$2"
    mount --bind "$1" "$2"
    shift 2
done
shift
exec "$@"
"""

LIBVIRTD_CONF = """\
unix_sock_dir = "{sock}"
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{uuid}"
log_outputs = "2:file:{log}/libvirtd.log"
"""

QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""

NAMESPACES = ("mount", "uts")
"""Of its own, as ``unshare`` names them; the unit of ``stack-compute`` allows them."""


class PrivateLibvirtd:
    """The libvirtd of one host folder."""

    def __init__(self, folder: Path, name: str = "stackd", namespace: str = "", cache: Path | None = None) -> None:
        """``namespace`` names a network namespace that stands already; empty for the present one.

        ``cache`` is a folder for what libvirtd finds out about QEMU (seconds of work); hosts may share one.
        Raises ``BadConfiguration`` when ``folder`` is too deep for a socket.
        """
        self._folder = folder.absolute()
        self._name = name
        self._namespace = namespace
        self._cache = cache.absolute() if cache else self._folder / "cache"
        self._pid_file = self._folder / "libvirtd.pid"
        self._socket = self._folder / "sock/libvirt-sock"
        if len(os.fsencode(self._socket)) + len("-admin") > SOCKET_PATH_LIMIT:
            raise BadConfiguration(f"The folder {folder} is too deep: a socket's path has at most "
                                   f"{SOCKET_PATH_LIMIT} bytes.", remedy="Choose a shorter state folder.")

    @property
    def uri(self) -> str:
        """Where libvirt clients connect to it."""
        return f"qemu+unix:///system?socket={self._socket}"

    @property
    def qemu_logs(self) -> Path:
        """Where it keeps what QEMU says, a file for each guest."""
        return self._folder / "log/qemu"

    def running(self) -> bool:
        """Whether the process of the pid file lives and is ours."""
        return self._pid() is not None

    def start(self) -> None:
        """Ensure it runs; a running one is adopted. Raises ``BadConfiguration`` and ``TransientFailure``."""
        if self.running():
            return
        lacking = [package for program, package in NEEDED.items() if shutil.which(program) is None]
        if lacking or os.geteuid():
            raise BadConfiguration("Real guests need root and libvirt.",
                                   remedy=f"As root: apt-get install {' '.join(lacking or ['libvirt-daemon-system'])}")
        self._write_folder()
        self._launch()
        deadline = time.monotonic() + START_SECONDS
        while not (self.running() and self._socket.exists()):
            if time.monotonic() > deadline:
                raise TransientFailure(f"libvirtd did not come up within {START_SECONDS:.0f} s.",
                                       remedy=f"Its log is {self._folder}/log/libvirtd.log.")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ensure it does not run; its guests run on."""
        pid = self._pid()
        if pid is not None:
            _end(pid)
        self._pid_file.unlink(missing_ok=True)

    def wipe(self) -> None:
        """Stop it, cut the power of all its guests, and remove the folder with all that is in it."""
        self.stop()
        if self._folder.exists():
            self._forget_former_boot()
        for pid in self._guest_pids():
            _end(pid)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _forget_former_boot(self) -> None:
        """Process numbers kept since before the machine started mean nothing now: libvirtd would kill by them."""
        noted = self._folder / "boot-id"
        if not noted.exists() or noted.read_text() != BOOT_ID.read_text():
            shutil.rmtree(self._folder / "run", ignore_errors=True)
            noted.write_text(BOOT_ID.read_text())

    def _write_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._forget_former_boot()
        for name in FOLDERS:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        self._cache.mkdir(parents=True, exist_ok=True)
        host = uuid.uuid5(uuid.NAMESPACE_URL, f"{self._folder}#{self._name}")
        (self._folder / "etc/libvirtd.conf").write_text(
            LIBVIRTD_CONF.format(sock=self._folder / "sock", log=self._folder / "log", uuid=host))
        (self._folder / "etc/qemu.conf").write_text(QEMU_CONF)
        (self._folder / "enter").write_text(ENTER)

    def _launch(self) -> None:
        argv = ["ip", "netns", "exec", self._namespace] if self._namespace else []
        # libvirtd throws away all it knows of QEMU when its cpuid changes, and on some machines that differs from
        # core to core. It frees its guests from this pinning again.
        argv += ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
        argv += ["unshare", *(f"--{name}" for name in NAMESPACES), "--propagation", "slave",
                 "/bin/sh", str(self._folder / "enter"), self._name]
        for name, target in BOUND:
            argv += [str(self._cache if name == "cache" else self._folder / name), target]
        for path in UNWANTED:
            if os.path.exists(path):
                argv += [os.devnull, path]
        argv += ["--", "libvirtd", "--daemon", "--pid-file", str(self._pid_file)]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  timeout=START_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise TransientFailure(f"libvirtd did not start within {START_SECONDS:.0f} s.") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise TransientFailure(f"libvirtd did not start: {' '.join(said[-2:])}",
                                   remedy=f"Its log is {self._folder}/log/libvirtd.log.")

    def _pid(self) -> int | None:
        return _living(self._pid_file, b"libvirtd", os.fsencode(self._pid_file))

    def _guest_pids(self) -> Iterator[int]:
        for path in (self._folder / "run/qemu").glob("*.pid"):
            pid = _living(path, b"qemu", os.fsencode(path.stem))
            if pid is not None:
                yield pid


def _living(pid_file: Path, *words: bytes) -> int | None:
    """The process of a pid file when it lives and its command line holds all the words."""
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if all(word in command for word in words) else None


def _end(pid: int) -> None:
    """End a process that may be nobody's child, gently at first."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if _gone(pid):
                return
            time.sleep(0.02)


def _gone(pid: int) -> bool:
    """Whether it has ended, also when its parent has not asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
