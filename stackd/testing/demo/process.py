"""The cloud as a process in the background: started, found again, stopped, swept up after."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from stackd import errors
from stackd.testing.demo.waiting import say, wait_until

READY_SECONDS = 120.0
STOP_SECONDS = 60.0
SWEEP_SECONDS = 120.0
READY = "stackd cloud ready"
KEPT = {"guest-image", "cloud.log"}
"""What a forgotten cloud leaves in its folder: what is dear to build, and its last words."""
COMMAND = (sys.executable, "-m", "stackd.cli.main", "cloud", "--state")


class CloudProcess:
    """``stackd cloud --state DIR --drivers real``; its process id and its words are kept in the folder."""

    def __init__(self, state: Path, port_base: int | None = None) -> None:
        """``state`` is the folder; ``port_base`` is where the APIs listen, None for the configured one."""
        self.state = state
        self._ports = () if port_base is None else ("--port-base", str(port_base))
        self._pid_file = state / "cloud.pid"
        self._log = state / "cloud.log"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it where it does not run, and wait until it is ready."""
        if self.pid() is not None:
            say("the cloud runs already")
            return
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [*COMMAND, str(self.state), "--drivers", "real", *self._ports],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._pid_file.write_text(str(self._child.pid))
        wait_until("the cloud is ready", self._ready, READY_SECONDS)

    def stop(self) -> None:
        """Ask it to end, and insist when it does not."""
        pid = self.pid()
        if pid is None:
            say("no cloud runs")
            return
        os.kill(pid, signal.SIGTERM)
        try:
            wait_until("the cloud has stopped", lambda: self.pid() is None, STOP_SECONDS)
        except errors.CallTimedOut:
            os.kill(pid, signal.SIGKILL)
            wait_until("the cloud was killed", lambda: self.pid() is None, STOP_SECONDS)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it without a word, as a power cut would; guests run on."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            if self._child is not None:
                self._child.wait()
            wait_until("the cloud was killed", lambda: self.pid() is None, STOP_SECONDS)

    def sweep(self) -> None:
        """Remove the guests, networks, mounts and processes of the stopped cloud."""
        if not self.state.exists():
            return
        done = subprocess.run([*COMMAND, str(self.state), "--sweep"], timeout=SWEEP_SECONDS, check=False)
        if done.returncode:
            raise errors.StackdError("Something of the cloud could not be removed.",
                                     remedy="Mend what is named above and run 'make down' again.")

    def forget(self) -> None:
        """Empty the folder, so that the next cloud is a new one: its guests are gone, so must be their rows."""
        if not self._log.exists():
            return  # never ours
        for path in self.state.iterdir():
            if path.name in KEPT:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _ready(self) -> bool:
        if self._child is not None and self._child.poll() is not None:
            raise errors.StackdError(f"The cloud ended at once:\n{self._last_words()}\n", remedy=f"See {self._log}.")
        return READY in self._log.read_text(errors="replace")

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def pid(self) -> int | None:
        """The process's id while it is ours and alive: ids are used again, so its command line is looked at too."""
        try:
            pid = int(self._pid_file.read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.state) in arguments else None
