"""What ``stackd doctor --config`` examines: whether a daemon of this configuration reaches its broker and database.

``stackd dead-letters`` takes the connected bus from here, too.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.task import deferLater

from stackd import errors
from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.configured import admission, configured_bus
from stackd.bus.amqp.deadletters import DeadLetter
from stackd.cli.brokering import demand_broker
from stackd.cli.examinations import Finding
from stackd.config.loading import load_file
from stackd.config.sections import MEMORY_BUS, Config
from stackd.daemons.running import run_once
from stackd.store import schema

T = TypeVar("T")
CONNECTS_WITHIN = 15.0
SHOWN = 1000
"""Of what was set aside, the oldest so many are looked at."""


def daemon_part(path: Path) -> Iterator[Finding]:
    """The broker, what was set aside there, and the database; hosts have neither of the latter two."""
    config = load_file(path)
    control = bool(admission(config.bus).trusted - set(config.bus.trusted_users)) or config.bus.driver == MEMORY_BUS
    if config.bus.driver != MEMORY_BUS:
        yield from run_once(lambda reactor: _bus_part(reactor, config, control))
    if control:
        yield database(config.database.url)


async def _bus_part(reactor: Any, config: Config, control: bool) -> list[Finding]:
    tried = await configured_bus(reactor, config.bus, ()).probe()
    findings = [
        Finding(name=f"broker {broker.host}:{broker.port}", well=well,
                detail=f"{words}, user {broker.user}, virtual host {broker.vhost}" + (", TLS" if broker.tls else ""),
                remedy="start RabbitMQ there, or mend urls and ca_file in [bus]") for broker, words, well in tried]
    if control and any(well for _, _, well in tried):
        findings.append(dead_letters(await with_bus(reactor, config, lambda bus: bus.set_aside(SHOWN))))
    return findings


async def with_bus(reactor: Any, config: Config, work: Callable[[AmqpBus], Awaitable[T]]) -> T:
    """What ``work`` makes of the connected bus; raises ``Unavailable``, or ``BadConfiguration`` where there is none."""
    demand_broker(config)
    bus = configured_bus(reactor, config.bus, ("conductor",))
    bus.startService()
    try:
        deadline = reactor.seconds() + CONNECTS_WITHIN
        while not bus.connected:
            if reactor.seconds() > deadline:
                raise errors.Unavailable("No broker of [bus] urls is reached.", remedy=(
                    "Run 'stackd doctor --config FILE'."))
            await deferLater(reactor, 0.05)
        return await work(bus)
    finally:
        await bus.stopService()


def dead_letters(letters: list[DeadLetter]) -> Finding:
    """How many there are, by whom and why."""
    kinds = Counter((letter.address, letter.sender, letter.reason) for letter in letters)
    beginning = f"{SHOWN} or more, of which these are the oldest: " if len(letters) >= SHOWN else ""
    shown = beginning + "; ".join(f"{number} to {address} of {sender}: {reason}"
                      for (address, sender, reason), number in kinds.most_common(5))
    return Finding(name="reports set aside", well=not letters, detail=shown or "none", needed=False,
                   remedy="see the conductor's log for the reason, mend it, then: stackd dead-letters --help")


def database(url: str) -> Finding:
    """Whether it answers, and has the schema of this release."""
    name = "database"
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not file.exists():
        return Finding(name=name, well=False, detail=f"{file} is not there", remedy="stackd bootstrap --config FILE")
    try:
        have, newest = schema.version(url), schema.newest()
    except Exception as error:  # whatever the database's driver has to say
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        return Finding(name=name, well=False, detail=str(cause).strip().splitlines()[0],
                       remedy="start the database, or mend url in [database]")
    # One of a later release is well: releases are upgraded one by one.
    return Finding(name=name, well=bool(have and newest and have >= newest),
                   detail=f"schema {have or 'empty'}, this release needs {newest}",
                   remedy="stackd db upgrade --config FILE")
