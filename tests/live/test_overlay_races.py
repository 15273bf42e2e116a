"""Hosts come to a network and leave it at the same moment: in the end each knows exactly the others that are there."""

import threading

from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import ensureDeferred as ensure_deferred
from twisted.internet.task import deferLater

from stackd.model.assignments import FetchRequest, Hello, Version
from stackd.model.ids import new_id
from stackd.model.networks import Port
from stackd.model.wirings import NetworkWiring
from stackd.rules.plans.wiring import newest
from stackd.store import assigned, hosts, ports
from stackd.store.database import Database, Transaction
from stackd.testing.crowds import Crowd, kinds_of, together
from stackd.testing.projects import default_network
from tests.live.database_fixtures import any_server, database, url

__all__ = ["any_server", "database", "url"]

HOSTS = 12


class Listener:
    """The network worker of a host, as far as it listens: it asks for what is new to it, and keeps the newest word."""

    def __init__(self, database: Database, number: int) -> None:
        """Knows nothing yet."""
        self.host = f"host-{number}"
        self.tunnel = f"10.77.0.{number + 1}"
        self._database = database
        self._known = Version()
        self.network: NetworkWiring | None = None

    async def hello(self) -> None:
        """Say where the host is reached."""
        said = Hello(host=self.host, worker="network", zone="zone-a", tunnel_address=self.tunnel)
        await self._database.write(hosts.hello, said, {})

    async def listen(self) -> None:
        """Ask for what was stamped since the last time."""
        request = FetchRequest(host=self.host, worker="network", session=1, known=self._known)
        told = await self._database.read(assigned.fetch, request, "incarnation")
        self._known = told.version
        words = [port.network for port in told.ports if port.network]
        self.network = next(iter(newest([*words, *filter(None, [self.network])]).values()), None)


def on_hosts(tx: Transaction, network_id: str) -> dict[str, str]:
    """Host -> the device it has on a network."""
    held: tuple[Port, ...] = ports.find(tx, ports.PortQuery(network_ids=(network_id,)))
    return {port.host: port.device_id for port in held if port.host}


@ensureDeferred
async def test_who_comes_and_who_goes_is_told_to_all(database: Database) -> None:
    crowd = Crowd(database)
    await crowd.settle(count=HOSTS)
    listeners = [Listener(database, number) for number in range(HOSTS)]
    for listener in listeners:
        await listener.hello()
    for _ in range(HOSTS):
        await crowd.launch()
    network = await database.read(default_network, crowd.project.id)

    async def come(number: int) -> None:
        await crowd.claim([pending[number]], [listeners[number].host])
        await listeners[number].listen()

    async def go(number: int) -> None:
        await database.write(ports.release, [there[listeners[number].host]])
        await listeners[number - 1].listen()

    pending = await crowd.pending()
    _, failed = await together(come(number) for number in range(8))
    there = await database.read(on_hosts, network.id)
    assert sorted(there) == sorted(listener.host for listener in listeners[:8])
    _, failed_too = await together([
        *(come(number) for number in range(8, HOSTS)), *(go(number) for number in (0, 2, 4)),
        *(listener.listen() for listener in listeners)])
    assert kinds_of(failed + failed_too) == set()
    staying = [listener for number, listener in enumerate(listeners) if number not in (0, 2, 4)]
    tunnels = {listener.tunnel for listener in staying}
    for listener in staying:
        await listener.listen()
        assert listener.network is not None
        assert set(listener.network.peers) == tunnels - {listener.tunnel}, listener.host


@ensureDeferred
async def test_one_that_comes_while_the_last_one_goes(database: Database) -> None:
    """Neither transaction sees the other, but the host has a port all the time."""
    crowd = Crowd(database)
    await crowd.settle(count=2)
    listeners = [Listener(database, number) for number in range(2)]
    for listener in listeners:
        await listener.hello()
    network = await database.read(default_network, crowd.project.id)
    going, watching, coming = [port.device_id for port in await database.write(ports.create, [
        ports.PortAsk(project_id=crowd.project.id, network_id=network.id, device_id=new_id()) for _ in range(3)])]
    await database.write(ports.place, {going: "host-0", watching: "host-1"})
    await listeners[1].listen()
    finish, begun = threading.Event(), Deferred()

    def come(tx: Transaction) -> None:
        ports.place(tx, {coming: "host-0"})
        reactor.callFromThread(begun.callback, None)
        assert finish.wait(10)

    came = ensure_deferred(database.write(come))
    await begun
    gone = ensure_deferred(database.write(ports.release, [going]))
    await deferLater(reactor, 0.5)
    await listeners[1].listen()
    finish.set()
    await came
    await gone
    await listeners[1].listen()
    assert listeners[1].network is not None
    assert listeners[1].network.peers == (listeners[0].tunnel,)
