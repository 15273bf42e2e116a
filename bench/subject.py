"""The cloud under measurement: ``stackd cloud`` as a process of its own, on fake drivers, in a folder of its own."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol

import psutil

from bench.figures import say

READY = "stackd cloud ready"
SECONDS = 120.0
BUILDING = "SELECT count(*) FROM instances WHERE ended_at IS NULL AND steady != 'active'"
CONFIGURATION = """
# Room for a hundred thousand guests of one project (a zone has a sixteenth); everything else is as shipped.
[cloud]
default_network_cidr = "10.0.0.0/11"
[quotas]
instances = -1
cores = -1
ram = -1
ports = -1
[logging]
level = "warn"
"""


class Measured(Protocol):
    """A cloud under measurement, however many processes it is."""

    base: int
    """The first of the ports of its APIs."""
    image: str
    """The id of an image to launch from; empty where the cloud's only one is found by asking."""

    def cpu(self) -> float:
        """Seconds of processor time used so far."""

    def memory(self) -> float:
        """Resident memory in MB."""

    def settings(self, file: str) -> dict[str, str]:
        """What one of the clients' files of variables says."""

    def unfinished(self) -> int:
        """How many instances are not active yet."""


class Subject:
    """A running cloud; for ``with``. Its folder is removed at the end."""

    image = ""

    def __init__(self, hosts: int = 100) -> None:
        """``hosts`` fake hosts."""
        self.state = Path(tempfile.mkdtemp(prefix="stackd-bench-"))
        self.base = free_base()
        self._hosts = hosts
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Subject":
        """Start it and wait until it is ready."""
        (self.state / "bench.toml").write_text(CONFIGURATION)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Stop it."""
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)

    def start(self) -> None:
        """Start the process; a second start continues in the same folder."""
        begun = time.monotonic()
        with (self.state / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command("cloud", self.state), "--drivers", "fake", "--port-base", str(self.base),
                 "--hosts", str(self._hosts), "--config", str(self.state / "bench.toml")],
                stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        output = self._process.stdout
        if output is None or not any(READY in line for line in output):
            raise RuntimeError((self.state / "log").read_text()[-800:])
        self._ps = psutil.Process(self._process.pid)
        say(f"a cloud of {self._hosts} hosts is ready after {time.monotonic() - begun:.1f} s")

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def reset(self) -> None:
        """Make the cloud as new."""
        subprocess.run(command("reset", self.state), check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)

    def cpu(self) -> float:
        """Seconds of processor time the process has used so far."""
        times = self._ps.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """Resident memory in MB."""
        return float(self._ps.memory_info().rss) / 1e6

    def settings(self, file: str) -> dict[str, str]:
        """What one of the clients' files of variables says."""
        return settings(self.state / file)

    def unfinished(self) -> int:
        """How many instances are not active yet, read in the database and so beside the cloud."""
        connection = sqlite3.connect(f"file:{self.state}/stackd.db?mode=ro", uri=True, timeout=10)
        try:
            return int(connection.execute(BUILDING).fetchone()[0])
        finally:
            connection.close()


def settings(path: Path) -> dict[str, str]:
    """The variables a file for shells sets."""
    pairs = (line.removeprefix("export ").split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name: value.strip("'\"") for name, value in pairs}


def command(name: str, state: Path) -> list[str]:
    """A subcommand of ``stackd`` for a folder."""
    return [sys.executable, "-m", "stackd.cli.main", name, "--state", str(state)]


def free_base() -> int:
    """The first of three free ports in a row, below those the kernel gives to clients."""
    for base in range(20000 + os.getpid() % 4000 * 3, 32700, 3):
        if all(_is_free(port) for port in range(base, base + 3)):
            return base
    raise RuntimeError("There are no three free ports in a row.")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
