"""The cloud of ``make cloud`` for live tests: brought up by the same code, asked by stock clients, looked through."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import boto3
import openstack

from stackd.daemons.cloud import configured
from stackd.daemons.machine import host_net
from stackd.testing.demo.process import CloudProcess

T = TypeVar("T")
PATIENCE = 180.0
EVERYWHERE = "0.0.0.0/0"


def wait(what: str, look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """What ``look`` gives as soon as it gives something."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {patience:.0f} s"
        time.sleep(0.3)
    return found


class RealCloud:
    """A running cloud with real guests in a folder, and its clients."""

    def __init__(self, state: Path, port_base: int) -> None:
        """Nothing runs yet."""
        self.state = state
        self.process = CloudProcess(state, port_base)
        self.netns = host_net(configured(state, drivers="real")).netns
        self._port_base = port_base

    def demo(self, action: str) -> str:
        """Run ``make cloud`` (up) or ``make down`` (down); what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "stackd.testing.demo", action, "--state", str(self.state),
             "--port-base", str(self._port_base)],
            capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr + (self.state / "cloud.log").read_text()[-4000:]
        return done.stdout

    # --- clients -----------------------------------------------------------------------------------

    def _settings(self) -> dict[str, str]:
        lines = (self.state / "aws.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def boto(self, service: str = "ec2") -> Any:
        """A stock boto3 client."""
        settings = self._settings()
        return boto3.client(
            service, endpoint_url=settings[f"AWS_ENDPOINT_URL_{service.upper()}"],
            region_name=settings["AWS_DEFAULT_REGION"], aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"])

    def aws(self, *words: str) -> Any:
        """The answer of the ``aws`` command."""
        return json.loads(self._command({**os.environ, **self._settings()}, "aws", *words, "--output", "json"))

    def sdk(self) -> Any:
        """A stock openstacksdk connection."""
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self.state / "clouds.yaml")
        return openstack.connect(cloud="stackd")

    def openstack(self, *words: str) -> str:
        """What the ``openstack`` command prints."""
        environ = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(self.state / "clouds.yaml"), "OS_CLOUD": "stackd"}
        return self._command(environ, "openstack", *words)

    def explain(self, id: str) -> dict[str, Any]:
        """What ``stackd explain`` says."""
        found: dict[str, Any] = json.loads(self._command(
            dict(os.environ), "stackd", "explain", id, "--state", str(self.state), "--json"))
        return found

    def _command(self, environ: dict[str, str], name: str, *words: str) -> str:
        path = Path(sys.executable).parent / name
        done = subprocess.run([str(path), *words], env=environ, capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0, f"{name} {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def ssh(self, address: str, key_file: Path, command: str) -> str | None:
        """What a command prints in the guest; None while it cannot be reached."""
        argv = ["ssh", "-i", str(key_file), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=2", "-o", "BatchMode=yes", f"root@{address}", command]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    def keep_key(self, name: str, text: str) -> Path:
        """Write a private key as ssh wants it."""
        path = self.state / f"{name}.key"
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        return path

    # --- the machine -------------------------------------------------------------------------------

    def guests(self) -> set[str]:
        """The ids of the guests whose QEMU runs."""
        return set(self.guest_pids())

    def guest_pids(self) -> dict[str, int]:
        """The process of each guest whose QEMU runs, by its id."""
        noted = {path.stem.rpartition("-")[2]: int(path.read_text())
                 for path in (self.state / "host/v/run/qemu").glob("*-*.pid")}
        return {id: pid for id, pid in noted.items() if Path(f"/proc/{pid}").exists()}

    def libvirtd_pid(self) -> int:
        """The process of the host's libvirtd; 0 while it is starting."""
        return int((self.state / "host/v/libvirtd.pid").read_text() or 0)

    def traces(self, word: str) -> list[str]:
        """Where in the host's devices, rules, leases, disks and processes a word (an id, a MAC) still stands."""
        looks = {"devices": ("ip", "-n", self.netns, "-d", "link"),
                 "rules": ("ip", "netns", "exec", self.netns, "nft", "list", "ruleset"),
                 "processes": ("ps", "-eo", "args")}
        found = [name for name, argv in looks.items()
                 if word in subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout]
        for path in (self.state / "host").rglob("*"):
            if word in path.name:
                found.append(str(path))
            elif path.is_file() and path.suffix in (".hosts", ".leases", ".json", ".conf", ".xml") \
                    and word in path.read_text(errors="replace"):
                found.append(str(path))
        return found
