"""What a simulation counts as doubled is found where fake hosts keep their guests."""

from pathlib import Path

import orjson

from stackd.config.sections import Bus, Cloud, Config
from stackd.daemons import machine
from stackd.daemons.hosts import fake_folder
from stackd.drivers.hypervisors.fake import FILE
from stackd.model.ids import new_id
from stackd.store import instances
from stackd.testing import projects
from stackd.testing.records import an_instance
from stackd.testing.simulation.ledger import Ledger


def keep(folder: Path, host: str, ids: list[str]) -> None:
    """A fake host has these guests."""
    config = Config(cloud=Cloud(state=str(folder / "hosts" / "pool-1")), bus=Bus(driver="amqp"))
    place = fake_folder(config, machine.prepare(config), host)
    assert place is not None
    place.mkdir(parents=True)
    (place / FILE).write_bytes(orjson.dumps({"guests": [{"id": id} for id in ids]}))


def test_guests_elsewhere_twice_or_nowhere_are_counted(tmp_path: Path) -> None:
    cloud = projects.Cloud()
    here, elsewhere, twice, nowhere = (an_instance(id=new_id(), host="host-1") for _ in range(4))
    for one in (here, elsewhere, twice, nowhere):
        cloud.write(instances.insert_all, [one], 1, "")
    ledger = Ledger(cloud.database.engine)
    assert ledger.unfinished() == 0
    keep(tmp_path, "host-1", [here.id, twice.id])
    keep(tmp_path, "host-2", [elsewhere.id, twice.id])
    assert ledger.doubled(tmp_path / "hosts") == 3
