"""``stackd dead-letters`` without a broker, and with more letters than are looked at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackd.bus.amqp.deadletters import DeadLetter
from stackd.cli import connections
from stackd.cli.main import main
from stackd.daemons import running


def letters(number: int) -> list[DeadLetter]:
    """So many."""
    return [DeadLetter(id=str(each), address="conductor", sender="guest", reason="rejected", body={})
            for each in range(number)]


@pytest.mark.parametrize("action", ["list", "requeue", "drop"])
def test_a_cloud_in_one_process_has_none(action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    """It is said without waiting for a broker."""
    def run_at_once(work: Callable[[Any], Any]) -> Any:
        work(None).send(None)

    monkeypatch.setattr(running, "run_once", run_at_once)
    file = tmp_path / "stackd.toml"
    file.write_text('[bus]\ndriver = "memory"\n')
    assert main(["dead-letters", action, *(["--all"] if action != "list" else []), "--config", str(file)]) == 1
    assert "there is no broker. Set driver" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "more"), [(999, False), (1000, True)])
def test_what_is_not_looked_at_is_told(number: int, more: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(running, "run_once", lambda work: letters(number))
    file = tmp_path / "stackd.toml"
    file.write_text('[bus]\ndriver = "amqp"\n')
    assert main(["dead-letters", "list", "--config", str(file)]) == 0
    assert ("1000 or more" in capsys.readouterr().err) is more
    assert ("1000 or more" in connections.dead_letters(letters(number)).detail) is more
