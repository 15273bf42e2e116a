"""What a user gets from installing stackd: the ``twistd`` plugins, the command, and drivers that load."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("setup.cfg", "setup.py", "pyproject.toml", "README.rst", "LICENSE", "stackd", "twisted")
INSTALL = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")


def plugins() -> dict[str, str]:
    """Daemon name -> module, read from the plugin file."""
    text = (ROOT / "twisted/plugins/stackd_plugins.py").read_text()
    found = re.findall(r'ServiceMaker\(\s*"([\w-]+)",\s*"([\w.]+)",\s*"[^"]*",\s*"([\w-]+)"', text)
    return {option: module for name, module, option in found if name == option}


def entry_points() -> list[str]:
    """Each driver as ``group name module:attribute``."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return [
        f"{group} {name.strip()} {target.strip()}"
        for group, lines in parser["options.entry_points"].items()
        for name, target in (line.split("=") for line in lines.strip().splitlines())
    ]


def run(*command: str, cwd: Path) -> str:
    """The standard output of a command that must go well; PYTHONPATH must not help it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of what is packaged, so that building leaves nothing in the work tree."""
    target = tmp_path / "source"
    target.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A virtual environment that sees this one's libraries, but nothing that is installed here by a path file."""
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"), cwd=tmp_path)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "venv/lib" / version / "site-packages"
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return str(tmp_path / "venv/bin/python")


def assert_usable(python: str, elsewhere: Path) -> None:
    """``twistd`` lists every daemon, and the command starts, from another folder."""
    listed = run(python, "-c", "from twisted.scripts.twistd import run; run()", "--help", cwd=elsewhere)
    missing = [name for name in plugins() if not re.search(rf"^\s+{name}\s", listed, re.MULTILINE)]
    assert not missing, f"twistd does not list {missing}:\n{listed}"
    assert "doctor" in run(str(Path(python).with_name("stackd")), "--help", cwd=elsewhere)


def test_a_wheel_shows_the_plugins_and_the_command(source: Path, python: str, tmp_path: Path) -> None:
    """``pip install`` of a wheel."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--wheel-dir", str(tmp_path / "wheels"), str(source), cwd=tmp_path)
    wheel = next((tmp_path / "wheels").glob("stackd-*.whl"))
    run(sys.executable, "-m", "pip", "--python", python, *INSTALL, str(wheel), cwd=tmp_path)
    assert_usable(python, tmp_path)


def test_an_editable_install_shows_the_plugins_and_the_command(source: Path, python: str, tmp_path: Path) -> None:
    """``pip install -e .``."""
    run(sys.executable, "-m", "pip", "--python", python, *INSTALL, "-e", str(source), cwd=tmp_path)
    assert_usable(python, tmp_path)


def test_the_plugin_file_lists_daemons() -> None:
    """The pattern that reads the plugin file finds what is there."""
    assert len(plugins()) == (ROOT / "twisted/plugins/stackd_plugins.py").read_text().count("= ServiceMaker(")


@pytest.mark.parametrize(("name", "module"), plugins().items())
def test_each_daemon_has_options_and_a_service(name: str, module: str) -> None:
    """What ``twistd NAME`` will call."""
    daemon = import_module(module)
    assert callable(daemon.Options), name
    assert callable(daemon.makeService), name


@pytest.mark.parametrize("point", entry_points())
def test_each_entry_point_loads(point: str) -> None:
    """A driver named in the configuration can be imported (libvirt's is loaded where its library is installed)."""
    _, name, target = point.split()
    if name == "libvirt":
        pytest.importorskip("libvirt")
    module, attribute = target.split(":")
    assert callable(getattr(import_module(module), attribute))
