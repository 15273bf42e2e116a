"""What the doctor says."""

import os
import sys
from pathlib import Path

import pytest

from stackd.cli import examinations
from stackd.cli.doctor import report
from stackd.cli.examinations import Finding
from stackd.cli.main import main

INSTALLING = Path(__file__).parents[2] / "docs/operate/installing.rst"
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


def test_what_hosts_do_without_is_noted() -> None:
    """KVM is welcome, not needed."""
    slow = Finding(name="KVM", well=False, needed=False, remedy="enable it")
    assert report([slow]).startswith("note   KVM")


def test_a_program_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """On PATH and where only root looks; the Debian package is named."""
    assert examinations.program("stackd-no-such-program", "some-package") == Finding(
        name="stackd-no-such-program", well=False, detail="not found", package="some-package")
    (tmp_path / "virsh").write_text("")
    (tmp_path / "virsh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert examinations.program("virsh", "libvirt-clients").detail == str(tmp_path / "virsh")


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


def test_what_a_host_needs_is_what_the_installation_says() -> None:
    """All it has to have comes with packages that are named there."""
    said = INSTALLING.read_text()
    assert [package for package in examinations.PROGRAMS.values() if f"``{package}``" not in said] == []


def test_a_host_without_the_demo_image_lacks_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:
    """What that is made with is noted."""
    for name in examinations.PROGRAMS:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(examinations, "ROOTS_PATH", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    for feature in ("python_part", "kernel_part"):
        monkeypatch.setattr(examinations, feature, lambda: [WELL])
    monkeypatch.setattr(examinations, "libvirt_library", lambda: WELL)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["doctor"]) == 0
    assert "note   cpio " in capsys.readouterr().out


@pytest.mark.parametrize(("loadable", "words"), [(True, "a module, loaded when a host starts"), (False, "not found")])
def test_a_module_need_not_be_loaded_before_a_host_starts(loadable: bool, words: str, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """It must be there to load."""
    monkeypatch.setattr(examinations, "BRIDGE_FILTER", tmp_path / "none")
    (tmp_path / "modprobe").write_text("#!/bin/sh\n" + ("" if loadable else "echo not found >&2\nexit 1\n"))
    (tmp_path / "modprobe").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = examinations.bridge_filter()
    assert (found.well, found.detail) == (loadable, words)


def test_libraries_are_added_to_the_python_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to a source tree's, which an installed host has not."""
    monkeypatch.setattr(examinations, "missing_libraries", lambda: ["txamqp"])
    assert f"\n    {sys.executable} -m pip install stackd" in report(list(examinations.python_part()))
