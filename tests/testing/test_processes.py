"""Processes that are found again by their pid files."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from stackd.testing.processes import KeptProcess, placed, wait_for

STAYS = ["sh", "-c", "sleep 60 & wait"]


@pytest.fixture
def kept(tmp_path: Path) -> KeptProcess:
    """Started, with a child of its own."""
    made = KeptProcess(tmp_path / "pid")
    made.start(STAYS, tmp_path / "output")
    return made


def state(pid: int) -> str:
    """The letter of a process' state, X for one that is no more."""
    path = Path(f"/proc/{pid}/stat")
    return path.read_text().rpartition(")")[2].split()[0] if path.exists() else "X"


def test_another_finds_it_and_ends_it_with_its_children(kept: KeptProcess, tmp_path: Path) -> None:
    other = KeptProcess(tmp_path / "pid")
    assert other.pid == kept.pid is not None
    assert wait_for(lambda: len(kept.members()) == 2, 10.0)
    members = kept.members()
    kept.end(signal.SIGKILL)
    assert other.pid is None and other.members() == []
    assert len(members) == 2 and {state(pid) for pid in members} <= {"Z", "X"}


def test_a_stranger_with_the_same_id_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        (tmp_path / "pid").write_text(f"{stranger.pid} 1\n")
        ours = KeptProcess(tmp_path / "pid")
        assert ours.pid is None and ours.members() == []
        ours.end(signal.SIGKILL)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_frozen_and_thawed(kept: KeptProcess) -> None:
    assert wait_for(lambda: len(kept.members()) == 2, 10.0)
    kept.freeze()
    assert {state(pid) for pid in kept.members()} == {"T"}
    kept.thaw()
    assert "T" not in {state(pid) for pid in kept.members()}
    kept.end()
    assert kept.pid is None


def test_its_words_are_kept(tmp_path: Path) -> None:
    made = KeptProcess(tmp_path / "pid")
    for word in ("hello", "again"):
        made.start(["echo", word], tmp_path / "output", env={"PATH": os.environ["PATH"]})
        assert wait_for(lambda: not made.members(), 10.0)
        made.end()
    assert (tmp_path / "output").read_text() == "hello\nagain\n"


def test_places() -> None:
    assert placed(["true"]) == ["true"]
    assert placed(["true"], "there") == ["nsenter", "--net=/run/netns/there", "--", "true"]
    assert placed(["true"], user="root") == ["setpriv", "--reuid=0", "--regid=0", "--clear-groups", "--", "true"]
    assert placed(["true"], "there", "root")[2:4] == ["--setuid=0", "--setgid=0"]
