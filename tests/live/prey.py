"""A cloud with a host that was broken into, on a real broker: the conductor and the registry on one database.

``evil`` holds all that the host ``host-2`` has at the broker and says what it likes; ``good`` is the honest ``host-1``.
"""

import json
from typing import Any

from attrs import frozen
from sqlalchemy import select
from twisted.internet.defer import Deferred
from txamqp.client import Closed
from txamqp.content import Content

from stackd.bus.amqp.bus import AmqpBus
from stackd.bus.amqp.users import host_definitions, host_permissions
from stackd.bus.amqp.wire import WireChannel
from stackd.conductor.assignments import StoredAssignments
from stackd.conductor.service import ConductorEndpoint
from stackd.imageservice.endpoint import RegistryEndpoint
from stackd.imageservice.registry import Registry
from stackd.imageservice.remote import REGISTRY
from stackd.imageservice.sharing import Sharing
from stackd.model.instances import GuestState, LaunchRequest
from stackd.rules.admitting import Admission
from stackd.store.tables.complete import complete_metadata
from stackd.testing.broker import RabbitMq
from stackd.testing.cloud import MemoryCloud
from stackd.testing.contracts.bus import ListeningEndpoint
from tests.live.rabbitmq_fixtures import Buses, after, begun, soon

GOOD, EVIL = "host-1", "host-2"
CONTROL = Admission(("guest",))
SMALL = {"most_kept": 200, "most_dead": 30, "most_calls": 50}


@frozen
class Prey:
    """Everybody of the cloud, each with a connection of its own."""

    cloud: MemoryCloud
    control: AmqpBus
    good: AmqpBus
    evil: AmqpBus
    good_worker: ListeningEndpoint
    evil_worker: ListeningEndpoint
    good_instance: str
    evil_instance: str

    @property
    def prefix(self) -> str:
        """Begins the names of queues."""
        return self.control._names.exchange

    def everything(self) -> dict[str, list[Any]]:
        """All rows of the database, but for what stands there of the host that was broken into itself."""
        with self.cloud.database.engine.connect() as connection:
            rows = {table.name: sorted(map(repr, connection.execute(select(table))))
                    for table in complete_metadata().sorted_tables}
        return rows | {"hosts": [row for row in rows["hosts"] if EVIL not in row]}

    async def channel(self) -> WireChannel:
        """One more channel of the broken-into host."""
        while self.evil._connection.client is None:
            await after(0.02)
        channel = self.evil._connection.client.new_channel()
        await channel.channel_open()
        return channel

    async def closed_by(self, act: Any) -> str:
        """The broker's words when it closes the channel for what is done with it; empty when it does not."""
        channel = await self.channel()
        closed: Deferred[Any] = Deferred()
        channel.on_close = closed.callback
        try:
            found = act(channel)
            if found is not None:
                await soon(found)
            await soon(channel.exchange_declare(exchange=self.prefix, passive=True))  # all before was looked at
        except Closed as error:
            return str(error)
        return ""

    async def put(self, queue: str, body: bytes, exchange: str = "", **properties: Any) -> None:
        """Publish as the broken-into host; by the default exchange the queue is reached whosever it is."""
        channel = await self.channel()
        given = {name.replace("_", "-"): value for name, value in properties.items()}
        channel.basic_publish(exchange=exchange, routing_key=queue, content=Content(body, properties=given))
        await soon(channel.exchange_declare(exchange=self.prefix, passive=True))
        await channel.leave()

    async def settled(self) -> None:
        """All that was sent to the control plane so far has been dealt with, and it still serves the good."""
        await self.control.report("conductor", {"host": GOOD, "worker": "compute", "session": 0, "counter": 0})
        assert await self.control.call("compute@host-1", "echo", {"n": 1}) == {"n": 1}
        await self.good.call("conductor", "fetch", {"host": GOOD, "worker": "compute", "session": 1})


async def prey_of(buses: Buses, broker: RabbitMq) -> Prey:
    """Guests run on both hosts; then the daemons of the cloud move to the broker."""
    cloud = MemoryCloud().start()
    ids = []
    for host in (GOOD, EVIL):
        request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", host=host,
                                user_data=b"secret of " + host.encode())
        ids.append(cloud.run(cloud.core.instances.launch(cloud.admin, request)).instances[0].instance.id)
    cloud.until(lambda: all(cloud.row(id).observed.state is GuestState.RUNNING for id in ids))
    for id in ids:
        port = cloud.run(cloud.core.instances.get(cloud.admin, id)).ports[0]
        floating = cloud.run(cloud.core.addresses.allocate(cloud.admin))
        cloud.run(cloud.core.addresses.associate(cloud.admin, floating.id, port.id))
    cloud.advance(30)
    for name in set(cloud.lives) - {"api"}:
        cloud.kill(name)
    urls = confine(broker, buses.prefix)
    control = buses.add(admit=CONTROL, **SMALL)
    await control.serve("conductor", ConductorEndpoint(StoredAssignments(cloud.database, {}), lambda: None))
    identity: Any = cloud.identity
    await control.serve(REGISTRY, RegistryEndpoint(Registry(cloud.database), Sharing(cloud.database), identity))
    good, evil = (buses.add(url, kept=(), admit=CONTROL) for url in urls)
    workers = ListeningEndpoint(), ListeningEndpoint()
    for bus, host, worker in zip((good, evil), (GOOD, EVIL), workers, strict=True):
        for kind in ("compute", "network"):
            await soon(begun(bus.serve(f"{kind}@{host}", worker)))
    return Prey(cloud, control, good, evil, *workers, *ids)


def confine(broker: RabbitMq, prefix: str) -> list[str]:
    """Make the users of both hosts; their URLs."""
    whole: dict[str, list[Any]] = {}
    for host in (GOOD, EVIL):
        for kind, values in host_definitions(host_permissions(host, prefix), "secret", b"salt").items():
            whole.setdefault(kind, []).extend(values)
    path = broker.folder / "hosts.json"
    path.write_text(json.dumps(whole))
    broker.control("import_definitions", str(path))
    return [broker.url.replace("guest:guest", f"stackd-host-{host}:secret") for host in (GOOD, EVIL)]
