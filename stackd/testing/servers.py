"""Real database servers for live tests, labs and the bench: of our own, in a folder, on a port of 127.0.0.1.

Their one client has a password of its own, and without ``durable`` they do not wait for the disk. They outlive who
started them: a server of the same folder finds the running one. Neither runs as root; where we are root they run as
the user that their Debian package made. A missing program is an error that says what to install. Blocking.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import orjson

from stackd.testing.ports import free_port
from stackd.testing.processes import KeptProcess, placed, wait_for

TIMEOUT = 60.0
FACTS = "server.json"
CLIENT = "stackd"
"""The user of all databases."""
PACKAGE = "mariadb-server"
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


class _Kept:
    """What both have: a folder with the facts of the server, and the user it runs as."""

    name = ""
    account = ""
    """The user of the machine that its Debian package makes."""

    def __init__(self, durable: bool = False, folder: Path | None = None, addresses: Sequence[str] = ("127.0.0.1",),
                 namespace: str = "") -> None:
        """The server of this folder as it was made; or a new one, prepared and not started.

        A new one listens at ``addresses`` in the network namespace ``namespace``; the first of them the caller can
        reach. Its user must be able to enter ``folder``; without one it gets a temporary one.
        """
        self._user = _user(self.account)
        self.folder = folder or Path(tempfile.mkdtemp(prefix="stackd-db-"))
        kept = self.folder / FACTS
        self._facts: dict[str, Any] = orjson.loads(kept.read_bytes()) if kept.exists() else {
            "port": free_port(), "password": secrets.token_urlsafe(16), "addresses": list(addresses),
            "namespace": namespace, "durable": durable}
        self.port: int = self._facts["port"]
        self.password: str = self._facts["password"]
        if not kept.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _own(self.folder, self._user)
            shutil.rmtree(self.folder / "state", ignore_errors=True)  # half prepared, by one that was killed
            self._prepare()
            kept.touch(mode=0o600)
            kept.write_bytes(orjson.dumps(self._facts))

    @property
    def pid(self) -> int | None:
        """The process that began it, while it lives."""
        raise NotImplementedError

    def stop(self, crash: bool = False) -> None:
        """Stop it; what clients have not committed is lost either way."""
        raise NotImplementedError

    def wipe(self) -> None:
        """Stop it where it runs, and remove its folder."""
        self.stop(crash=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url_of(self, database: str, address: str = "") -> str:
        """Where a database of it is, at one of its addresses."""
        return f"{self.name}://{CLIENT}:{self.password}@{address or self._facts['addresses'][0]}:{self.port}/{database}"

    def _prepare(self) -> None:
        raise NotImplementedError

    def _placed(self, *argv: str) -> list[str]:
        return placed(argv, self._facts["namespace"], self._user)

    def _run(self, *argv: str, feed: str = "") -> None:
        # Output goes to a file: a server started by such a command would keep a pipe open.
        with open(self.folder / "output", "wb") as output:
            done = subprocess.run(self._placed(*argv), cwd=self.folder, input=feed, text=True, stdout=output,
                                  stderr=subprocess.STDOUT, timeout=TIMEOUT)
        if done.returncode:
            raise RuntimeError(f"{argv[0]} failed: {(self.folder / 'output').read_text()[-2000:]}")


class PostgreSQL(_Kept):
    """A PostgreSQL server."""

    name = "postgresql"
    account = "postgres"

    def start(self) -> None:
        """Start it; pg_ctl waits until it answers. One that runs is left alone."""
        if self.pid:
            return
        options = (f"-p {self.port} -k {self.folder} -c listen_addresses={','.join(self._facts['addresses'])} "
                   "-c max_connections=200")
        if not self._facts["durable"]:
            options += " -c fsync=off"
        self._control("-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, crash: bool = False) -> None:
        """Stop it; what clients have not committed is lost either way."""
        if self.pid:
            self._control("-m", "immediate" if crash else "fast", "stop")

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""
        self._run(_postgresql_program("createdb"), "-h", str(self.folder), "-p", str(self.port), "-U", CLIENT, database)
        return self.url_of(database)

    def _prepare(self) -> None:
        words = self.folder / "password"
        words.touch(mode=0o600)
        words.write_text(self.password)
        _own(words, self._user)
        self._run(_postgresql_program("initdb"), "-D", self._state, "-U", CLIENT, "--auth-local=trust",
                  "--auth-host=scram-sha-256", f"--pwfile={words}", "-N", "-E", "UTF8", "--locale=C.UTF-8")
        words.unlink()
        with (self.folder / "state/pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")

    def _control(self, *arguments: str) -> None:
        self._run(_postgresql_program("pg_ctl"), "-D", self._state, "-w", *arguments)

    @property
    def pid(self) -> int | None:
        """The process that began it, while it lives."""
        try:
            pid = int((self.folder / "state/postmaster.pid").read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return None
        return pid if os.fsencode(self._state) in command else None

    @property
    def _state(self) -> str:
        return str(self.folder / "state")


class MariaDB(_Kept):
    """A MariaDB server."""

    name = "mariadb"
    account = "mysql"

    @property
    def pid(self) -> int | None:
        """The process that began it, while it lives."""
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers. One that runs is left alone."""
        if self.pid:
            return
        facts = self._facts
        argv = self._placed(
            _program("mariadbd", PACKAGE), "--no-defaults", f"--datadir={self.folder / 'state'}",
            f"--port={self.port}", f"--bind-address={','.join(facts['addresses'])}", f"--socket={self._socket}",
            f"--log-error={self.folder / 'log'}", "--skip-log-bin", "--skip-name-resolve",
            "--innodb-buffer-pool-size=128M", "--max-connections=200",
            *([] if facts["durable"] else ["--innodb-flush-method=nosync", "--skip-innodb-file-per-table"]))
        self._process.start(argv, self.folder / "output", cwd=self.folder)
        wait_for(lambda: self.pid is None or self._answers(), TIMEOUT, 0.05)
        if not self._answers():
            self.stop(crash=True)
            raise RuntimeError(f"mariadbd did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self, crash: bool = False) -> None:
        """Stop it; what clients have not committed is lost either way."""
        self._process.end(signal.SIGKILL if crash else signal.SIGTERM, TIMEOUT)

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""
        self._run(*self._client("mariadb"), feed=(
            f"CREATE DATABASE {database}; GRANT ALL ON *.* TO {CLIENT}@'%' IDENTIFIED BY '{self.password}'"))
        return self.url_of(database)

    @cached_property
    def _process(self) -> KeptProcess:
        return KeptProcess(self.folder / "pid")

    def _prepare(self) -> None:
        self._run(_program("mariadb-install-db", PACKAGE), "--no-defaults", f"--datadir={self.folder / 'state'}",
                  "--auth-root-authentication-method=socket", f"--auth-root-socket-user={self._account}",
                  "--skip-test-db")

    def _answers(self) -> bool:
        argv = self._placed(*self._client("mariadb-admin"), "ping")
        return subprocess.run(argv, capture_output=True, timeout=TIMEOUT).returncode == 0

    def _client(self, program: str) -> list[str]:
        return [_program(program, PACKAGE), "--no-defaults", f"--socket={self._socket}", "-u", self._account]

    @property
    def _account(self) -> str:
        """Who may do everything there, known by the socket."""
        return self._user or pwd.getpwuid(os.geteuid()).pw_name

    @property
    def _socket(self) -> str:
        return str(self.folder / "socket")


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


def _own(path: Path, user: str | None) -> None:
    if user is not None:
        os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)


SERVERS: dict[str, type[PostgreSQL] | type[MariaDB]] = {server.name: server for server in (PostgreSQL, MariaDB)}
