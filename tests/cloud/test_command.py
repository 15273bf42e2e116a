"""The command ``stackd cloud`` as scripts use it: a process of its own, on fake drivers, asked by stock clients."""

import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from stackd.testing.ports import free_base

FILES = ("clouds.yaml", "openrc", "aws.env")
SECONDS = 60.0




class Running:
    """One ``stackd cloud`` process."""

    def __init__(self, state: Path, base: int) -> None:
        """Start it and wait until it says that it is ready."""
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stackd.cli.main", "cloud", "--state", str(state), "--drivers", "fake",
             "--port-base", str(base), "--hosts", "3"],
            stdout=subprocess.PIPE, stderr=(state / "log").open("ab"), text=True)
        assert self.process.stdout is not None
        # A cloud that cannot start ends, and so does its output.
        words = next((line for line in self.process.stdout if "stackd cloud ready" in line), "")
        assert words, (state / "log").read_text()[-4000:]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and give the exit status."""
        self.process.send_signal(how)
        return self.process.wait(SECONDS)

    def ask(self, *arguments: str) -> str:
        """The output of an operator's command."""
        done = subprocess.run([sys.executable, "-m", "stackd.cli.main", *arguments, "--state", str(self.state)],
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ec2(self) -> Any:
        """A client with the settings in ``aws.env``."""
        lines = (self.state / "aws.env").read_text().splitlines()
        found = dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
        return boto3.client(
            "ec2", region_name=found["AWS_DEFAULT_REGION"], endpoint_url=found["AWS_ENDPOINT_URL_EC2"],
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"], aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture
def base() -> int:
    """Where the APIs listen."""
    return free_base()


@pytest.fixture
def cloud(tmp_path: Path, base: int) -> Iterator[Running]:
    """A ready cloud; killed at the end where it still runs."""
    running = Running(tmp_path, base)
    yield running
    running.process.kill()
    running.process.wait(SECONDS)


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
