"""Processes that outlive who started them: each leads a session of its own and is found again by its pid file.

Brokers, databases and the daemons of a site are such processes. Blocking. Ids are used again, so the pid file's second
word is the moment the process began: a stranger with the same id is never taken for it.
"""

import contextlib
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

KILLED_WITHIN = 10.0
PROC = Path("/proc")
NAMESPACES = Path("/run/netns")


def placed(argv: Sequence[str], namespace: str = "", user: str | None = None) -> list[str]:
    """The command that runs ``argv`` in this place: a network namespace by its name, and as a user of the machine."""
    account = pwd.getpwnam(user) if user else None
    if namespace:
        # Not 'ip netns exec': namespaces made in its private mounts would be seen by nobody else.
        identity = [f"--setuid={account.pw_uid}", f"--setgid={account.pw_gid}"] if account else []
        return ["nsenter", f"--net={NAMESPACES / namespace}", *identity, "--", *argv]
    if account:
        return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--", *argv]
    return list(argv)


class KeptProcess:
    """One process, with all that share its session; whoever knows the pid file may look after it."""

    def __init__(self, pid_file: Path) -> None:
        """Nothing is started; a process that runs already is taken up."""
        self._pid_file = pid_file
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        pid, began = self._noted()
        return pid if pid and _began(pid) == began else None

    def start(self, argv: Sequence[str], output: Path, env: Mapping[str, str] | None = None,
              cwd: Path | None = None) -> None:
        """Start it; its words are added to ``output``."""
        with output.open("ab") as words:
            self._child = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=words,
                                           stderr=words, start_new_session=True)
        self._pid_file.write_text(f"{self._child.pid} {_began(self._child.pid)}\n")

    def send(self, number: signal.Signals) -> None:
        """Send it and its children a signal; harmless when nothing is there."""
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = KILLED_WITHIN) -> None:
        """Send a signal and wait until nothing of it lives; after ``seconds`` all of it is killed."""
        self.send(number)
        if number == signal.SIGKILL or not wait_for(lambda: not self.members(), seconds):
            wait_for(self._killed, KILLED_WITHIN)
        if self._child is not None:
            self._child.wait(KILLED_WITHIN)
            self._child = None
        self._pid_file.unlink(missing_ok=True)

    def freeze(self) -> None:
        """All of it stops where it is, once this returns."""
        wait_for(self._stopped, KILLED_WITHIN)

    def thaw(self) -> None:
        """It goes on."""
        self.send(signal.SIGCONT)

    def members(self) -> list[int]:
        """The ids of all living processes of its session."""
        leader, began = self._noted()
        if not leader or _began(leader) not in (began, 0):
            return []
        return [pid for pid in map(int, filter(str.isdecimal, os.listdir(PROC)))
                if (found := _stat(PROC / str(pid))) and found[3] == str(leader) and found[0] not in "ZX"]

    # Both send again what they wait for: a child may have been forked just before.

    def _killed(self) -> bool:
        self.send(signal.SIGKILL)
        return not self.members()

    def _stopped(self) -> bool:
        self.send(signal.SIGSTOP)
        return all(state in "TZX" for state in self._thread_states())

    def _thread_states(self) -> list[str]:
        """The letters of its threads' states, X for one that has ended."""
        threads = [path for pid in self.members() for path in Path(f"/proc/{pid}/task").glob("*")]
        return [(_stat(path) or ["X"])[0] for path in threads]

    def _noted(self) -> tuple[int, int]:
        try:
            pid, began = self._pid_file.read_text().split()
        except (OSError, ValueError):
            return 0, 0
        return int(pid), int(began)


def wait_for(look: Callable[[], object], seconds: float, interval: float = 0.02) -> bool:
    """Whether ``look`` gave something true within this time."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def _began(pid: int) -> int:
    """When a living process began, in ticks since the machine did; 0 for one that has ended."""
    found = _stat(PROC / str(pid))
    return int(found[19]) if found and found[0] not in "ZX" else 0


def _stat(place: Path) -> list[str]:
    """What the kernel says of a process or thread from its state on; empty when there is none."""
    try:
        return (place / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
