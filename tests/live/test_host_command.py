"""``stackd host`` makes, changes and ends a host's user at a real broker, by either way."""

import base64
import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from stackd import errors
from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.configured import configured_bus
from stackd.cli import host
from stackd.cli.main import main
from stackd.config.loading import load
from stackd.testing.broker import CONTROL, RabbitMq
from stackd.testing.contracts.bus import ListeningEndpoint
from stackd.testing.ports import free_port
from tests.live.rabbitmq_fixtures import after, begun, soon


class Managed(RabbitMq):
    """A broker with the management API."""

    management = ""

    def _configure(self) -> None:
        super()._configure()
        port = free_port()
        self.management = f"http://guest:guest@127.0.0.1:{port}"
        (self.folder / "plugins").write_text("[rabbitmq_management].\n")
        with (self.folder / "rabbitmq.conf").open("a") as conf:
            conf.write(f"management.tcp.port = {port}\nmanagement.tcp.ip = 127.0.0.1\n")

    def bounds(self, queue: str) -> Any:
        """What the broker holds a queue to, whoever declared it."""
        login = base64.b64encode(b"guest:guest").decode()
        request = urllib.request.Request(f"{self.management.replace('guest:guest@', '')}/api/queues/%2F/{queue}",
                                         headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer).get("effective_policy_definition")


@pytest.fixture(scope="module")
def broker() -> Iterator[Managed]:
    """Runs for this module."""
    broker = Managed(Path(tempfile.mkdtemp(prefix="stackd-rabbitmq-")))
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


class Operator:
    """Types commands and pastes what they print where the broker is root's."""

    def __init__(self, broker: Managed, folder: Path, managed: bool, capsys: pytest.CaptureFixture[str]) -> None:
        self.broker = broker
        self.managed = managed
        self.capsys = capsys
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.file = folder / "api.toml"
        self.file.write_text("\n".join([
            "[bus]", 'driver = "amqp"', f"urls = {json.dumps([broker.url])}",
            f'management = "{broker.management}"' if managed else "", "[cloud]", f"state = '{folder}'"]))

    def ask(self, state: Path, command: str, body: dict[str, Any]) -> Any:
        """In place of the running cloud."""
        self.asked.append((command, body))
        return "done"

    def type(self, *words: str) -> str:
        """Run ``stackd host``; what it printed."""
        assert main(["host", *words, "--config", str(self.file)]) == 0
        out, commands = self.capsys.readouterr()
        assert bool(commands) is not self.managed
        if commands:
            ours = f"{CONTROL} -q --node {self.broker._facts['name']}"
            lines = commands.split("\n\n", 1)[1].replace("rabbitmqctl", ours)
            script = self.file.with_suffix(".sh")
            script.write_text(lines)
            subprocess.run(["bash", "-e", str(script)], check=True, timeout=100, stdin=subprocess.DEVNULL,
                           env=self.broker._environment())
        return out


@pytest.fixture(params=[True, False], ids=["by the API", "by commands"])
def operator(request: pytest.FixtureRequest, broker: Managed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
             capsys: pytest.CaptureFixture[str]) -> Operator:
    """With or without the management API."""
    operator = Operator(broker, tmp_path, request.param, capsys)
    monkeypatch.setattr(host, "ask", operator.ask)
    return operator


def bus_of(text: str, kept: tuple[str, ...] = ()) -> AmqpBus:
    """As a daemon of this configuration makes it."""
    bus = configured_bus(reactor, load(text).bus, kept)
    bus.startService()
    return bus


@pytest_twisted.ensureDeferred
async def test_a_host_from_first_to_last(operator: Operator) -> None:
    text = operator.type("add", "web-1.rack", "--zone", "z9")
    command, body = operator.asked[-1]
    assert (command, body["name"]) == ("host-add", "web-1.rack")
    config = load(text)
    assert (config.image.password, config.image.user, config.image.driver) == (
        body["password"], "stackd-host-web-1.rack", "http")
    assert (config.cloud.zones, config.hosts.name, config.bus.trusted_users) == (("z9",), "web-1.rack", ("guest",))
    control, first = bus_of(operator.file.read_text(), ("conductor",)), bus_of(text)
    buses = [control, first]
    try:
        await control.serve("conductor", conductor := ListeningEndpoint())
        await soon(begun(first.serve("compute@web-1.rack", ListeningEndpoint())))
        assert await control.call("compute@web-1.rack", "echo", {"n": 1}) == {"n": 1}
        await first.report("conductor", {"host": "web-1.rack"})
        assert await soon(conductor.reports.get()) == {"host": "web-1.rack"}
        buses.append(second := bus_of(operator.type("password", "web-1.rack")))
        await soon(begun(second.serve("network@web-1.rack", ListeningEndpoint())))
        while first.connected:
            await after(0.05)
        with pytest.raises(errors.OutcomeUnknown):
            await first.report("conductor", {"host": "web-1.rack"})
        assert operator.type("remove", "web-1.rack") == "done\n"
        while second.connected:
            await after(0.05)
    finally:
        for bus in buses:
            await bus.stopService()
    users = {row.split("\t")[0] for row in operator.broker.control("-q", "list_users").splitlines()}
    assert "stackd-host-web-1.rack" not in users


@pytest_twisted.ensureDeferred
async def test_what_a_host_declares_without_bounds_is_bounded(operator: Operator) -> None:
    bus = bus_of(operator.type("add", "h1"))
    try:
        while bus._connection.client is None:
            await after(0.05)
        channel = bus._connection.client.new_channel()
        await channel.channel_open()
        await channel.queue_declare(queue="stackd.compute@h1.calls", durable=True)
        while not (bounds := operator.broker.bounds("stackd.compute@h1.calls")):
            await after(0.2)
        assert bounds["max-length-bytes"] == 64 * 1024 * 1024
        await channel.queue_delete(queue="stackd.compute@h1.calls")
    finally:
        await bus.stopService()
    operator.type("remove", "h1")
