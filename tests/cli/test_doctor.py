"""What the doctor says."""

import sys

import pytest

from stackd.cli import examinations
from stackd.cli.doctor import report
from stackd.cli.examinations import Finding
from stackd.cli.main import main

WELL = Finding(name="Python", well=True, detail="3.11")


def test_missing_packages_are_mended_by_one_command() -> None:
    """Each package once, then the other commands, each once."""
    text = report([
        WELL,
        Finding(name="virsh", well=False, detail="not found", package="libvirt-clients"),
        Finding(name="nft", well=False, detail="not found", package="nftables"),
        Finding(name="a", well=False, remedy="modprobe x"),
        Finding(name="b", well=False, remedy="modprobe x"),
    ])
    assert text.splitlines()[0] == "ok     Python  3.11"
    assert text.splitlines()[1] == "LACKS  virsh   not found"
    assert text.splitlines()[-2:] == ["    apt-get install -y libvirt-clients nftables", "    modprobe x"]


def test_all_is_well() -> None:
    """No remedies."""
    assert report([WELL]) == "ok     Python  3.11"


def test_what_is_only_slower_does_not_count_as_missing() -> None:
    """KVM is welcome, not needed."""
    slow = Finding(name="KVM", well=False, needed=False, remedy="enable it")
    assert report([slow]).startswith("slow   KVM")


def test_a_program_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """On PATH and where only root looks; the Debian package is named."""
    monkeypatch.setitem(examinations.PROGRAMS, "stackd-no-such-program", "some-package")
    assert examinations.program("stackd-no-such-program") == Finding(
        name="stackd-no-such-program", well=False, detail="not found", package="some-package")
    (tmp_path / "virsh").write_text("")
    (tmp_path / "virsh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert examinations.program("virsh").detail == str(tmp_path / "virsh")


def test_a_command_is_tried() -> None:
    """Its first line of complaint, or nothing."""
    assert examinations.try_command(sys.executable, "-c", "pass") == ""
    assert examinations.try_command(sys.executable, "-c", "import sys; sys.exit('no such device')") == "no such device"
    assert "no-such-command" in examinations.try_command("no-such-command")


def test_the_command_tells_by_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    """0 when nothing needed is missing, 1 otherwise."""
    monkeypatch.setattr(examinations, "missing_libraries", lambda: ["txamqp"])
    assert main(["doctor", "--drivers", "fake"]) == 1
    assert "LACKS  Python libraries  txamqp" in capsys.readouterr().out
    monkeypatch.setattr(examinations, "missing_libraries", list)
    assert main(["doctor", "--drivers", "fake"]) == 0
