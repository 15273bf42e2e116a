"""The crash suite on a real broker and real databases, a sample of it; and brokers that die while much is launched.

All of it: ``make crash BROKER=1 DB=postgresql``, or ``mariadb``.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from stackd.drivers.hypervisors.fake import FakeOptions
from stackd.model.faults import Steady
from stackd.model.hosts import HostCapacity
from stackd.model.instances import LaunchRequest
from stackd.testing import brokered, databases, settled
from stackd.testing.broker import RabbitMq
from stackd.testing.cloud import MemoryCloud
from stackd.testing.servers import DatabaseServer
from stackd.workers.settings import WorkerSettings
from tests.live.database_fixtures import any_server, url
from tests.live.rabbitmq_fixtures import private_broker, rabbitmq

__all__ = ["any_server", "rabbitmq", "url"]

ROOT = Path(__file__).parent.parent.parent
SERVERS = pytest.mark.parametrize("any_server", ["postgresql", "mariadb"], indirect=True)
DIES = "test_crashes.py::test_a_daemon_dies_at_each_of_its_calls"
SAMPLE = (
    f"{DIES}[launch-scheduler-Moment.AFTER]", f"{DIES}[launch, then terminate-conductor-Moment.AFTER]",
    f"{DIES}[stop, then start-compute@host-1-Moment.LATE]", f"{DIES}[associate-network@host-1-Moment.BEFORE]",
    "test_many.py::test_of_two_of_a_kind_one_dies_while_both_work[1-conductor]",
    "test_many.py::test_a_conductor_that_is_away_for_long_finds_everything_told")
TIMEOUT = 240
LAUNCHES = 200
AT_ONCE = 10
ROOM = HostCapacity(vcpus=LAUNCHES, memory_mib=LAUNCHES * 4096, disk_gib=LAUNCHES * 10)
SECOND_LOOK = 70.0


@SERVERS
def test_a_sample_of_the_crash_suite_passes(any_server: DatabaseServer, url: str, rabbitmq: RabbitMq) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
         *(f"tests/crash/{name}" for name in SAMPLE)], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT,
        env=os.environ | {databases.VARIABLE: url, brokered.VARIABLE: rabbitmq.url})
    assert done.returncode == 0, done.stdout[-5000:]
    assert f"{len(SAMPLE)} passed" in done.stdout


@SERVERS
def test_a_broker_dies_while_much_is_launched_and_ended(any_server: DatabaseServer, url: str,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    with private_broker() as broker:
        monkeypatch.setenv(brokered.VARIABLE, broker.url)
        monkeypatch.setenv(databases.VARIABLE, url)
        cloud = MemoryCloud(hosts=4, options=FakeOptions(capacity=ROOM),
                            worker_settings=WorkerSettings(second_look=SECOND_LOOK)).start()
        ids: list[str] = []
        for number in range(LAUNCHES // AT_ONCE):
            if number == 8:
                lose(broker)
            if number == 14:
                broker.start()
            ids += launched(cloud)
            cloud.advance(0.3)
        rest(cloud)
        assert Counter(steady(cloud, id) for id in ids) == {Steady.ACTIVE: LAUNCHES}
        cloud.run(cloud.core.instances.terminate(cloud.caller, ids[::2]))
        cloud.advance(0.1)
        lose(broker)
        cloud.advance(5)
        broker.start()
        rest(cloud)
        cloud.advance(SECOND_LOOK + 60)
        settled.check(cloud)
        cloud.lines.close()


def lose(broker: RabbitMq) -> None:
    """The broker dies, and forgets everything."""
    broker.kill()
    broker.wipe()


def launched(cloud: MemoryCloud) -> list[str]:
    """The ids of new instances."""
    made = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name="web", max_count=AT_ONCE)))
    return [view.instance.id for view in made.instances]


def steady(cloud: MemoryCloud, id: str) -> Steady | None:
    """The state an instance last reached."""
    phase = cloud.row(id).phase
    return phase.steady if phase is not None else None


def rest(cloud: MemoryCloud) -> None:
    """Let time pass until nobody has anything to do."""
    deadline = cloud.clock.seconds() + 600
    while waiting := settled.unsettled(cloud):
        assert cloud.clock.seconds() < deadline, waiting
        cloud.advance(2)
