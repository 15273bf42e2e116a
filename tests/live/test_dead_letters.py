"""What was set aside is shown, sent again or dropped by the operator's command, and named by the doctor."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.utils import getProcessOutputAndValue

from stackd import errors
from stackd.bus.amqp.bus import AmqpBus
from stackd.rules.admitting import Admission
from stackd.store import schema
from stackd.testing.broker import RabbitMq
from stackd.testing.contracts.bus import ListeningEndpoint
from tests.live.prey import confine
from tests.live.rabbitmq_fixtures import Buses, after, buses, rabbitmq, soon

__all__ = ["buses", "rabbitmq"]


class Moody(ListeningEndpoint):
    """Takes reports when it is well."""

    well = False

    async def reported(self, body: dict[str, Any]) -> None:
        """Refuse, or remember."""
        if not self.well:
            raise errors.Malformed("Not well.")
        await super().reported(body)


async def command(*words: str) -> tuple[int, str]:
    """Status and words of ``stackd``, in a process of its own."""
    out, err, status = await getProcessOutputAndValue(sys.executable, ["-m", "stackd.cli.main", *words], env=None)
    return status, out.decode() + err.decode()


async def set_aside(bus: AmqpBus, number: int) -> list[Any]:
    """So many are there."""
    while len(letters := await bus.set_aside(1000)) != number:
        await after(0.05)
    return letters


@pytest_twisted.ensureDeferred
async def test_they_are_sent_again_and_dropped(buses: Buses, rabbitmq: RabbitMq) -> None:
    urls = confine(rabbitmq, buses.prefix)
    conductor, endpoint = buses.add(admit=Admission(("guest",))), Moody()
    await conductor.serve("conductor", endpoint)
    for host in ("host-1", "host-2"):  # what a host may say, and what it may not
        await buses.add(urls[0], kept=()).report("conductor", {"host": host})
    letters = await set_aside(conductor, 2)
    assert {letter.sender for letter in letters} == {"stackd-host-host-1"}
    assert len({letter.id for letter in letters}) == 2
    endpoint.well = True
    assert len(await conductor.dead_letters().requeue(None)) == 2
    assert await soon(endpoint.reports.get()) == {"host": "host-1"}
    (left,) = await set_aside(conductor, 1)
    assert (left.body, left.sender) == ({"host": "host-2"}, "guest, stackd-host-host-1")
    assert await conductor.dead_letters().drop(["no such"]) == []
    assert await conductor.dead_letters().drop([left.id]) == [left]
    assert await conductor.set_aside() == []


@pytest_twisted.ensureDeferred
async def test_the_commands(buses: Buses, rabbitmq: RabbitMq, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/stackd.db"
    file = tmp_path / "conductor.toml"
    file.write_text(f'[bus]\ndriver = "amqp"\nprefix = "{buses.prefix}"\nurls = {json.dumps([rabbitmq.url])}\n'
                    f'[database]\nurl = "{database}"\n')
    conductor, endpoint = buses.add(), Moody()
    await conductor.serve("conductor", endpoint)
    status, words = await command("doctor", "--config", str(file))
    assert status == 1 and "stackd.db is not there" in words and "RabbitMQ 3." in words
    schema.upgrade(database)
    status, words = await command("doctor", "--config", str(file))
    assert status == 0 and "reports set aside" in words and "none" in words
    for number in range(3):
        await conductor.report("conductor", {"host": f"h{number}", "worker": "\x1b[2J"})
    letters = {letter.body["host"]: letter.id for letter in await set_aside(conductor, 3)}
    status, words = await command("doctor", "--config", str(file))
    assert "3 to conductor of guest: rejected" in words and "stackd dead-letters" in words
    status, words = await command("dead-letters", "list", "--config", str(file))
    assert status == 0 and letters["h1"] in words and "\x1b" not in words
    status, words = await command("dead-letters", "drop", letters["h0"], "gone", "--config", str(file))
    assert status == 1 and words.startswith("1 dropped.") and "gone" in words
    endpoint.well = True
    assert await command("dead-letters", "requeue", "--all", "--config", str(file)) == (0, "2 sent again.\n")
    assert {(await soon(endpoint.reports.get()))["host"] for _ in range(2)} == {"h1", "h2"}
    assert await command("dead-letters", "list", "--config", str(file)) == (0, "Nothing is set aside.\n")
    status, words = await command("dead-letters", "drop", "--config", str(file))
    assert status == 1 and "--all" in words


@pytest_twisted.ensureDeferred
async def test_what_keeps_a_daemon_from_its_broker(rabbitmq: RabbitMq, tmp_path: Path) -> None:
    file = tmp_path / "host.toml"
    urls = [rabbitmq.url.replace("guest:guest", "guest:wrong-secret"), "amqp://a:hush@127.0.0.1:1/", rabbitmq.tls_url]
    file.write_text(f'[bus]\ndriver = "amqp"\nurls = {json.dumps(urls)}\n')
    status, words = await command("doctor", "--config", str(file))
    assert status == 1 and "secret" not in words and "hush" not in words
    lines = [line for line in words.splitlines() if "  broker " in line]
    words_of = zip(lines, ("ACCESS_REFUSED", "refused", "certificate"), strict=True)
    assert all(word.lower() in line.lower() for line, word in words_of), lines
