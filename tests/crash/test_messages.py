"""Messages lost, doubled, late and out of order, and a broker that forgets everything: it only takes longer."""

from random import Random

import pytest

from stackd.bus.disturbance import RandomDisturbance
from stackd.model.instances import InstanceDesired, LaunchRequest, RebootKind
from stackd.testing import settled
from stackd.testing.cloud import MemoryCloud
from stackd.workers.settings import WorkerSettings

PATIENCE = 900.0
SECOND_LOOK = 70.0


def rest(cloud: MemoryCloud) -> None:
    """Let time pass until nobody has anything to do."""
    deadline = cloud.clock.seconds() + PATIENCE
    while waiting := settled.unsettled(cloud):
        assert cloud.clock.seconds() < deadline, waiting
        cloud.advance(1)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_to_messages_the_cloud_settles(seed: int) -> None:
    disturbance = RandomDisturbance(random=Random(seed), lose=0.15, double=0.15, late=0.3, seconds=8.0)
    cloud = MemoryCloud(hosts=2, seed=seed, disturbance=disturbance,
                        worker_settings=WorkerSettings(second_look=SECOND_LOOK)).start()
    api, caller = cloud.core.instances, cloud.caller
    made = cloud.run(api.launch(caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name="web", max_count=5)))
    ids = [view.instance.id for view in made.instances]
    rest(cloud)
    cloud.run(api.stop(caller, ids[:2]))
    cloud.run(api.reboot(caller, ids[2:4], RebootKind.SOFT))
    if seed % 2:
        cloud.lines.wipe()
    rest(cloud)
    cloud.run(api.start(caller, ids[:1]))
    cloud.run(api.terminate(caller, ids[3:]))
    rest(cloud)
    cloud.advance(SECOND_LOOK + 60)
    settled.check(cloud)
    assert [cloud.row(id).desired for id in ids] == [
        InstanceDesired.RUNNING, InstanceDesired.STOPPED, InstanceDesired.RUNNING,
        InstanceDesired.DELETED, InstanceDesired.DELETED]


def test_every_wake_may_be_lost() -> None:
    class Silent:
        """Loses every wake and nothing else."""

        def copies(self, passage: object, address: str) -> tuple[float, ...]:
            return () if getattr(passage, "value", "") == "wake" else (0.0,)

    cloud = MemoryCloud(hosts=1, disturbance=Silent()).start()
    made = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name="web")))
    rest(cloud)
    settled.check(cloud)
    assert cloud.row(made.instances[0].instance.id).launched_at is not None
