"""Launches: what the answer says is what stands in the database."""

from stackd.model.instances import LaunchRequest, NetworkRequest
from stackd.model.network_requests import NewPort
from stackd.store.database import Transaction
from stackd.store.instances import of_reservation
from stackd.testing.cloud import MemoryCloud


def launched(cloud: MemoryCloud, **fields: object) -> None:
    """Launch, and compare the answer with a read in the next transaction."""
    flavor = cloud.run(cloud.core.flavors.by_name(cloud.caller, "t2.nano"))
    outcome: list[object] = []

    def read(tx: Transaction, reservation_id: str) -> object:
        return of_reservation(tx, reservation_id)

    async def both() -> None:
        made = await cloud.core.instances.launch(cloud.caller, LaunchRequest(
            image_id=cloud.image.id, flavor_id=flavor.id, **fields))
        outcome.extend((made.instances, await cloud.database.read(read, made.id)))

    cloud.run(both())
    assert outcome[0] == outcome[1]


def test_an_answer_is_what_a_read_gives() -> None:
    """Several at once, on the default network."""
    launched(MemoryCloud().start(), min_count=3, max_count=3, name="web", metadata={"a": "b"})


def test_a_borrowed_port_is_in_the_answer() -> None:
    """A port of the user's beside one that is made, in the order asked."""
    cloud = MemoryCloud().start()
    known = cloud.run(cloud.core.networks.list(cloud.caller))
    network = next(one.id for one in known if not one.external)
    port, = cloud.run(cloud.core.ports.create(cloud.caller, NewPort(network_id=network)))
    launched(cloud, networks=())
    launched(cloud, networks=(NetworkRequest(network_id=network), NetworkRequest(port_id=port.id)))
