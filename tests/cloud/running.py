"""The command ``stackd cloud`` on fake drivers as a process of its own: started, asked by stock clients, ended."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

SECONDS = 60.0


class Running:
    """One ``stackd cloud`` process."""

    def __init__(self, state: Path, base: int, *options: str) -> None:
        """Start it, with more options or others, and wait until it says that it is ready."""
        self.state = state
        self.base = base
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stackd.cli.main", "cloud", "--state", str(state), "--drivers", "fake",
             "--port-base", str(base), "--hosts", "3", *options],
            stdout=subprocess.PIPE, stderr=(state / "log").open("ab"), text=True)
        assert self.process.stdout is not None
        # A cloud that cannot start ends, and so does its output.
        words = next((line for line in self.process.stdout if "stackd cloud ready" in line), "")
        assert words, self.log()[-4000:]

    def log(self) -> str:
        """Everything it has said."""
        return (self.state / "log").read_text()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and give the exit status."""
        self.process.send_signal(how)
        return self.process.wait(SECONDS)

    def kill(self) -> None:
        """End it however it is."""
        self.process.kill()
        self.process.wait(SECONDS)

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
