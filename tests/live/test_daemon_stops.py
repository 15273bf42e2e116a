"""A daemon that is told to stop finishes what it is at: a real process, a real broker, a step that takes its time."""

import signal
import subprocess
import sys
from os import environ
from pathlib import Path
from typing import Any

import orjson
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from stackd.interfaces.bus import Body, IEndpoint
from stackd.model import wire
from stackd.model.assignments import Assignments, FetchRequest, Report, Version
from stackd.model.instances import GuestState, ObservedInstance
from stackd.rules.ownership import CONDUCTOR
from stackd.testing.ports import free_base
from stackd.testing.records import an_assignment, an_instance
from tests.live.rabbitmq_fixtures import Buses, RabbitMq, buses, rabbitmq, soon

__all__ = ["buses", "rabbitmq"]

SLOW = '''
from pathlib import Path
from attrs import evolve
from twisted.internet.task import deferLater
from stackd.drivers.hypervisors.fake import FakeHypervisor
from stackd.model.guests import Guest
from stackd.model.instances import GuestState, ObservedInstance

class Slow(FakeHypervisor):
    """Its guests take a while to come up."""

    def __init__(self, reactor, images, folder):
        super().__init__(reactor, images)
        self.begun = Path(__file__).with_name("begun")

    async def prepare(self, spec):
        self.world.put(Guest(id=spec.id, state=GuestState.ABSENT, prepared=True))

    async def start(self, spec):
        self.begun.touch()
        await deferLater(self._clock, 2.5)
        self.world.boot(spec)
'''


@implementer(IEndpoint)
class Conductor:
    """Knows one instance of one host, and keeps what is reported."""

    def __init__(self) -> None:
        """Nothing is reported yet."""
        self.calls = {"hello": self._hello, "fetch": self._fetch}
        self.reports: list[Report] = []

    def woken(self, body: Body) -> None:
        """Nothing."""

    async def reported(self, body: Body) -> None:
        """Keep it."""
        self.reports.append(wire.load(Report, body))

    async def _hello(self, body: Body) -> int:
        return 7

    async def _fetch(self, body: Body) -> Any:
        known = wire.load(FetchRequest, body).known
        return wire.dump(Assignments(
            version=Version(incarnation="a" * 32, number=1), full=not known.incarnation,
            instances=() if known.incarnation else (
                an_assignment(an_instance(launched_at=None, observed=ObservedInstance())),)))


def configured(folder: Path, url: str, prefix: str) -> Path:
    """A driver in place of the fake one, as a package that is found before ours brings it; the file of the daemon."""
    package = folder / "slow-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[stackd.hypervisors]\nfake = slowly:Slow\n")
    (folder / "slowly.py").write_text(SLOW)
    file = folder / "compute.toml"
    file.write_text(f"""
[cloud]
state = "{folder}/state"
[bus]
driver = "amqp"
urls = ["{url}"]
prefix = "{prefix}"
[image]
driver = "http"
url = "http://127.0.0.1:9/image"
auth_url = "http://127.0.0.1:9/identity/v3"
user = "glance"
password = "x"
project = "service"
[hosts]
name = "host-1"
[monitor]
port = {free_base()}
""")
    return file


async def until(look: Any) -> None:
    """Until it is so."""
    loop = LoopingCall(lambda: look() and loop.stop())
    await soon(loop.start(0.05))


@pytest_twisted.ensureDeferred
async def test_a_step_under_way_is_finished_and_reported(tmp_path: Path, buses: Buses, rabbitmq: RabbitMq) -> None:
    conductor = Conductor()
    await soon(Deferred.fromCoroutine(buses.add().serve(CONDUCTOR, conductor)))
    file = configured(tmp_path, rabbitmq.url, buses.prefix)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "--logger",
             "stackd.daemons.logging.to_stdout", "stack-compute", "--config", str(file)], stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, cwd=tmp_path,
            env={**environ, "PYTHONPATH": f"{tmp_path}:{environ.get('PYTHONPATH', '')}"})
    try:
        await until(lambda: (tmp_path / "begun").exists())
        process.send_signal(signal.SIGTERM)
        await until(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait(10)
    lines = [orjson.loads(line) for line in log.read_bytes().splitlines()]  # and nothing else is in between
    assert not [line for line in lines if line["level"] in ("error", "critical")]
    await until(lambda: conductor.reports)
    last = conductor.reports[-1].instances[0]
    assert (last.id, last.observed.state, last.observed.generation) == ("d" * 32, GuestState.RUNNING, 1)
