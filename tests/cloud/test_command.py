"""The command ``stackd cloud`` as scripts use it: a process of its own, on fake drivers, asked by stock clients."""

import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackd.testing.ports import free_base
from tests.cloud.running import Running

FILES = ("clouds.yaml", "openrc", "aws.env")


@pytest.fixture
def base() -> int:
    """Where the APIs listen."""
    return free_base()


@pytest.fixture
def cloud(tmp_path: Path, base: int) -> Iterator[Running]:
    """A ready cloud; killed at the end where it still runs."""
    running = Running(tmp_path, base)
    yield running
    running.kill()


def launch(client: Any) -> str:
    """The id of a new instance, which runs."""
    image = client.describe_images()["Images"][0]["ImageId"]
    answer = client.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    id: str = answer["Instances"][0]["InstanceId"]
    client.get_waiter("instance_running").wait(InstanceIds=[id], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return id


def ids(client: Any) -> list[str]:
    """The ids of all instances."""
    return [instance["InstanceId"] for group in client.describe_instances()["Reservations"]
            for instance in group["Instances"]]


def test_the_credential_files_are_for_the_owner_alone(cloud: Running) -> None:
    """All three, readable by nobody else."""
    assert {name: oct(stat.S_IMODE((cloud.state / name).stat().st_mode)) for name in FILES} == dict.fromkeys(
        FILES, "0o600")


def test_a_second_start_continues_where_it_was(cloud: Running, base: int) -> None:
    """After a clean stop, and after a kill."""
    id = launch(cloud.ec2())
    for how, status in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)):
        assert cloud.end(how) == status
        cloud = Running(cloud.state, base)
        assert ids(cloud.ec2()) == [id]
    assert cloud.end() == 0


def test_reset_makes_it_as_new(cloud: Running) -> None:
    """Within a second, with the same credentials."""
    launch(cloud.ec2())
    begun = time.monotonic()
    cloud.ask("reset")
    took = time.monotonic() - begun
    assert ids(cloud.ec2()) == []
    assert took < 5, "a second for the reset, the rest for starting the command on a busy machine"


def test_the_operator_makes_a_user_with_a_quota(cloud: Running) -> None:
    """Project, limits and what is in use."""
    cloud.ask("project", "create", "team")
    cloud.ask("quota", "set", "team", "instances=3")
    assert "instances" in cloud.ask("quota", "show", "team")
    assert "team" in cloud.ask("project", "list")


def test_explain_takes_the_ids_of_ec2(cloud: Running) -> None:
    """And says what is desired."""
    id = launch(cloud.ec2())
    assert "RUNNING" in cloud.ask("explain", id).upper()


def test_a_port_in_use_is_named_with_its_cure(tmp_path: Path) -> None:
    base = free_base()
    with socket.socket() as other:
        other.bind(("127.0.0.1", base + 1))
        other.listen()
        done = subprocess.run(
            [sys.executable, "-m", "stackd.cli.main", "cloud", "--state", str(tmp_path), "--port-base", str(base)],
            capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    words = [line for line in done.stderr.splitlines() if line.startswith("stackd:")]
    assert len(words) == 1
    assert f"127.0.0.1:{base + 1}" in words[0] and "--port-base" in words[0]
    assert "Traceback" not in done.stderr
