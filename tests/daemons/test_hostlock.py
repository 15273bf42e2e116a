"""No host has two workers of a kind, and a new one begins when the steps of the one before have ended."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stackd import errors
from stackd.daemons.hostlock import HostLocks

HOLD = """
import subprocess, sys
from pathlib import Path
from stackd.daemons.hostlock import HostLocks
locks = HostLocks(Path(sys.argv[1]), "h1", ["network"])
step = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=locks.descriptors)
print(step.pid, flush=True)
sys.stdin.read()
"""


def test_a_second_worker_of_a_kind_is_refused_with_words_for_the_operator(tmp_path: Path) -> None:
    first = HostLocks(tmp_path, "h1", ["compute"])
    with pytest.raises(errors.BadConfiguration, match=r"process \d+ holds .*compute@h1.lock.* Stop that one first"):
        HostLocks(tmp_path, "h1", ["compute"])
    HostLocks(tmp_path, "h1", ["network"]).release()
    HostLocks(tmp_path, "h2", ["compute"]).release()
    first.release()
    HostLocks(tmp_path, "h1", ["compute"]).release()


def test_who_gets_one_of_two_locks_keeps_none(tmp_path: Path) -> None:
    first = HostLocks(tmp_path, "h1", ["network"])
    with pytest.raises(errors.BadConfiguration):
        HostLocks(tmp_path, "h1", ["compute", "network"])
    HostLocks(tmp_path, "h1", ["compute"]).release()
    first.release()


def test_the_lock_of_a_killed_worker_is_free_when_its_last_step_has_ended(tmp_path: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None and worker.stdin is not None
    step = int(worker.stdout.readline())
    with pytest.raises(errors.BadConfiguration, match=f"process {worker.pid} "):
        HostLocks(tmp_path, "h1", ["network"])
    # The step runs on: somebody else holds its input open.
    with open(f"/proc/{step}/fd/0", "wb", buffering=0):
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
        with pytest.raises(errors.Unavailable, match="still run"):
            HostLocks(tmp_path, "h1", ["network"])
    worker.stdout.read()
    _until_free(tmp_path)


def _until_free(folder: Path) -> None:
    """The step has ended once its output is closed; the kernel frees its lock a moment later."""
    while True:
        try:
            HostLocks(folder, "h1", ["network"]).release()
        except errors.Unavailable:
            continue
        return
