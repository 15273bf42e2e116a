"""The cloud in the background, played by a small program: found again, stopped, swept up after."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackd import errors
from stackd.testing.demo import process
from stackd.testing.demo.process import CloudProcess
from stackd.testing.demo.waiting import wait_until

PROGRAM = """
import signal, sys
from pathlib import Path
if "--sweep" in sys.argv:
    Path(sys.argv[1], "swept").touch()
    sys.exit(0)
if Path(sys.argv[1], "broken").exists():
    sys.exit("no such bridge")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("stackd cloud ready", flush=True)
signal.sigwait([signal.SIGTERM])
Path(sys.argv[1], "stopped cleanly").touch()
"""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudProcess]:
    """A cloud that is not started; it is stopped at the end."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    monkeypatch.setattr(process, "COMMAND", (sys.executable, str(program)))
    (tmp_path / "state").mkdir()
    cloud = CloudProcess(tmp_path / "state")
    yield cloud
    cloud.stop()


def test_it_is_started_once_and_found_again(cloud: CloudProcess, tmp_path: Path) -> None:
    """A second ``make cloud`` is harmless."""
    cloud.start()
    first = (tmp_path / "state/cloud.pid").read_text()
    CloudProcess(tmp_path / "state").start()
    assert (tmp_path / "state/cloud.pid").read_text() == first


def test_it_is_stopped_swept_and_forgotten(cloud: CloudProcess, tmp_path: Path) -> None:
    """By its own SIGTERM first; what is dear to build is kept."""
    cloud.start()
    (tmp_path / "state/guest-image").mkdir()
    (tmp_path / "state/images").mkdir()
    cloud.stop()
    assert (tmp_path / "state/stopped cleanly").exists()
    cloud.sweep()
    assert (tmp_path / "state/swept").exists()
    cloud.forget()
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"guest-image", "cloud.log"}


def test_one_that_ends_at_once_shows_its_last_words(cloud: CloudProcess, tmp_path: Path) -> None:
    """And the log is named."""
    (tmp_path / "state/broken").touch()
    with pytest.raises(errors.StackdError, match=r"no such bridge[\s\S]*cloud\.log"):
        cloud.start()


def test_a_process_id_used_again_by_somebody_else_is_left_alone(cloud: CloudProcess, tmp_path: Path) -> None:
    """The folder must stand in its command line."""
    (tmp_path / "state/cloud.pid").write_text(str(os.getpid()))
    cloud.stop()


def test_a_folder_that_was_never_a_cloud_is_left_alone(tmp_path: Path) -> None:
    """Nothing is deleted there."""
    (tmp_path / "letters").touch()
    CloudProcess(tmp_path).forget()
    assert (tmp_path / "letters").exists()


def test_waiting_ends() -> None:
    """With what was waited for, in words."""
    with pytest.raises(errors.CallTimedOut, match="the moon: not within 0 s"):
        wait_until("the moon", lambda: None, 0)
