"""The systemd units do what they promise: systemd takes them, and drivers work with what their units leave them.

There is no systemd to run them under; its tools check what they read, and capabilities are dropped as it would.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stackd.config.sample import DAEMONS
from stackd.drivers.hypervisors.libvirtd import NAMESPACES
from tests.config.test_daemon_samples import CONF, HOSTS, Unit

ROOT = CONF.parent
TIMEOUT = 120.0
CONTRACTS = {"network": ("tests/live/test_network_contract.py", "-k", "not tunnels"),
             "compute": ("tests/live/test_libvirt_contract.py", "-k", "started_guest or stopped_guest or removed")}


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    made = []
    for unit in (CONF / "systemd").glob("*.service"):
        made.append(tmp_path / unit.name)
        made[-1].write_text(unit.read_text().replace("/opt/stackd/bin/twistd", "/bin/true"))
    assert said("systemd-analyze", "verify", "--man=no", *map(str, made)) == ""


def test_systemd_makes_the_users(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    said("systemd-sysusers", f"--root={tmp_path}", str(CONF / "systemd/stackd.sysusers"))
    users = [line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    assert {f"stackd-{name}" for name in ("api", "scheduler", "conductor", "image", "registry")} <= set(users)


def said(*argv: str) -> str:
    """What a command says that must succeed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT,
                          check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_driver_does_with_the_capabilities_of_its_unit(name: str) -> None:
    unit = Unit(name)
    kept = [f"+{word.removeprefix('CAP_').lower()}" for word in unit["CapabilityBoundingSet"][0].split()]
    dropped = ["setpriv", "--bounding-set", ",".join(["-all", *kept])]
    if unit.get("NoNewPrivileges") == ["yes"]:
        dropped.append("--no-new-privs")
    done = subprocess.run([*dropped, sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
                           *CONTRACTS[name]], cwd=ROOT, env=os.environ | {"PYTEST_ADDOPTS": ""},
                          capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.parametrize("name", [name for name in DAEMONS if name not in HOSTS])
def test_a_daemon_finds_its_figures_in_what_its_unit_leaves_of_proc(name: str) -> None:
    """Of memory, processor time and open files; ``/metrics`` has them from the library."""
    unit = Unit(name)
    options = f"hidepid={unit['ProtectProc'][0]},subset={unit.get('ProcSubset', ['all'])[0]}".replace(",subset=all", "")
    look = f"{sys.executable} -c 'import prometheus_client as p; print(p.generate_latest().decode())'"
    told = said("unshare", "--mount", "--pid", "--fork", "sh", "-ec", f"mount -t proc -o {options} proc /proc; {look}")
    assert "process_resident_memory_bytes" in told and "process_open_fds" in told


def test_libvirtd_may_have_the_namespaces_it_is_started_in() -> None:
    allowed = Unit("compute")["RestrictNamespaces"][0].split()
    assert {"mnt" if name == "mount" else name for name in NAMESPACES} <= set(allowed)
