"""Real database servers for live tests and the bench: of our own, in a temporary folder, on a port of 127.0.0.1.

They hold nothing of value: no password, and without ``durable`` no wait for the disk. Neither runs as root; where we
are root they run as the user that their Debian package made. A missing program is an error that says what to install.
"""

import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

TIMEOUT = 60.0
# Ports above are given to clients that connect: one of them could take ours while the server restarts.
PORTS = range(15_000, 32_000)
POSTGRESQL_FOLDERS = Path("/usr/lib/postgresql")


class DatabaseServer(Protocol):
    """What tests do with a server."""

    name: str

    def start(self) -> None:
        """Start it, anew or again, and wait until it answers."""

    def stop(self, crash: bool = False) -> None:
        """Stop it, in order or as if it had crashed, and wait until it is gone; the databases stay."""

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""

    def wipe(self) -> None:
        """Stop it and remove all it kept."""


class PostgreSQL:
    """A PostgreSQL server."""

    name = "postgresql"

    def __init__(self, durable: bool = False) -> None:
        """Prepared, not started."""
        self._programs = {name: _postgresql_program(name) for name in ("initdb", "pg_ctl", "createdb")}
        self._user = _user("postgres")
        self._folder = _folder(self._user)
        self.port = _free_port()
        self._durable = durable
        self._run("initdb", "-D", self._state, "-U", "stackd", "--auth=trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        """Start it; pg_ctl waits until it answers."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        if not self._durable:
            options += " -c fsync=off"
        self._run("pg_ctl", "-D", self._state, "-l", str(self._folder / "log"), "-w", "-o", options, "start")

    def stop(self, crash: bool = False) -> None:
        """Stop it; what clients have not committed is lost either way."""
        self._run("pg_ctl", "-D", self._state, "-w", "-m", "immediate" if crash else "fast", "stop")

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "stackd", database)
        return f"postgresql://stackd@127.0.0.1:{self.port}/{database}"

    def wipe(self) -> None:
        """Stop it where it runs, and remove its folder."""
        if (self._folder / "state" / "postmaster.pid").exists():
            self.stop(crash=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _state(self) -> str:
        return str(self._folder / "state")

    def _run(self, program: str, *arguments: str) -> None:
        _run([self._programs[program], *arguments], self._folder, self._user)


class MariaDB:
    """A MariaDB server."""

    name = "mariadb"

    def __init__(self, durable: bool = False) -> None:
        """Prepared, not started."""
        names = ("mariadb-install-db", "mariadbd", "mariadb", "mariadb-admin")
        self._programs = {name: _program(name, "mariadb-server") for name in names}
        self._user = _user("mysql")
        self._folder = _folder(self._user)
        self.port = _free_port()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._run("mariadb-install-db", f"--datadir={self._folder / 'state'}",
                  "--auth-root-authentication-method=normal", "--skip-test-db")

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [self._programs["mariadbd"], "--no-defaults", f"--datadir={self._folder / 'state'}",
                f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self._socket}",
                f"--pid-file={self._folder / 'pid'}", f"--log-error={self._folder / 'log'}", "--skip-log-bin",
                "--innodb-buffer-pool-size=128M", "--max-connections=200",
                *([] if self._durable else ["--innodb-flush-method=nosync", "--skip-innodb-file-per-table"])]
        self._process = subprocess.Popen(argv, cwd=self._folder, user=self._user, group=_group(self._user),
                                         extra_groups=_groups(self._user), stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd did not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, crash: bool = False) -> None:
        """Stop it; what clients have not committed is lost either way."""
        if self._process is not None:
            (self._process.kill if crash else self._process.terminate)()
            self._process.wait(TIMEOUT)
            self._process = None

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""
        self._run("mariadb", f"--socket={self._socket}", "-u", "root", "-e", f"CREATE DATABASE {database}")
        return f"mariadb://root@127.0.0.1:{self.port}/{database}"

    def wipe(self) -> None:
        """Stop it where it runs, and remove its folder."""
        self.stop(crash=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _socket(self) -> str:
        return str(self._folder / "socket")

    def _answers(self) -> bool:
        argv = [self._programs["mariadb-admin"], "--no-defaults", f"--socket={self._socket}", "-u", "root", "ping"]
        return subprocess.run(argv, capture_output=True, timeout=TIMEOUT).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        _run([self._programs[program], "--no-defaults", *arguments], self._folder, self._user)


def _program(name: str, package: str, folders: Sequence[Path] = ()) -> str:
    # The daemons of Debian's packages stand in folders that are not on every user's path.
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", *map(str, folders)))
    found = shutil.which(name, path=path)
    if found is None:
        raise RuntimeError(f"{name} is not installed; as root, run: apt-get install -y {package}")
    return found


def _postgresql_program(name: str) -> str:
    folders = sorted(POSTGRESQL_FOLDERS.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return _program(name, "postgresql", folders)


def _user(name: str) -> str | None:
    """The user a server runs as; None for our own."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(name)
    except KeyError:
        return "nobody"
    return name


def _group(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _groups(user: str | None) -> list[int] | None:
    return None if user is None else []


def _folder(user: str | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="stackd-db-"))
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    return folder


def _run(argv: Sequence[str], folder: Path, user: str | None) -> None:
    # Output goes to a file: a server started by such a command would keep a pipe open.
    with open(folder / "output", "wb") as output:
        done = subprocess.run(argv, cwd=folder, user=user, group=_group(user), extra_groups=_groups(user),
                              stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=TIMEOUT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed: {(folder / 'output').read_text()[-2000:]}")


def _free_port() -> int:
    while True:
        port = random.choice(PORTS)
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port


SERVERS = {server.name: server for server in (PostgreSQL, MariaDB)}
