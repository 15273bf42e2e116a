"""What ``stackd lab`` says where it cannot."""

from pathlib import Path

import pytest

from stackd.cli.main import main
from stackd.testing.lab.options import FAKE, SiteOptions, keep


@pytest.mark.parametrize("action", ["down", "status"])
def test_no_lab_there(action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", action, "--state", str(tmp_path / "none")]) == 1
    assert "stackd lab up" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_lab_keeps_the_shape_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(SiteOptions(hosts=2, drivers=FAKE), tmp_path)
    assert main(["lab", "up", "--hosts", "5", "--state", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "has 2 fake hosts on postgresql" in said and "stackd lab down" in said
