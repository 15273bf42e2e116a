"""``stackd explain`` of what no host works on, and of what is not there."""

import pytest
from attrs import evolve

from stackd import errors
from stackd.core.explain import Explain, Explanation
from stackd.model import ids, kinds
from stackd.model.instances import GuestState, LaunchRequest
from stackd.model.keypairs import KeyType
from stackd.model.network_requests import NewNetwork, NewSubnet
from stackd.testing.cloud import MemoryCloud


@pytest.fixture
def cloud() -> MemoryCloud:
    """A running cloud."""
    return MemoryCloud().start()


def explained(cloud: MemoryCloud, text: str) -> Explanation:
    """What an operator is told."""
    return cloud.run(Explain(cloud.database, 60.0).explain(cloud.admin, text))


def test_what_nobody_acts_on_is_there_and_somebodys(cloud: MemoryCloud) -> None:
    core, caller = cloud.core, cloud.caller
    network = cloud.run(core.networks.create(caller, NewNetwork(name="blue")))
    subnet = cloud.run(core.subnets.create(caller, NewSubnet(network_id=network.id, cidr="10.9.0.0/24", name="low")))
    group = cloud.run(core.groups.list(caller))[0]
    key = cloud.run(core.keypairs.create(caller, "mine", KeyType.ED25519)).keypair
    for kind, id, name in ((kinds.NETWORK, network.id, "blue"), (kinds.SUBNET, subnet.id, "low"),
                           (kinds.SECURITY_GROUP, group.id, group.name), (kinds.KEYPAIR, key.id, "mine")):
        for text in (ids.dashed(id), ids.ec2_id(kind, id)):
            found = explained(cloud, text)
            assert (found["id"], found["kind"], found["name"], found["project"]) == (
                ids.dashed(id), kind, name, ids.dashed(caller.project_id)), text


def test_a_guest_whose_host_has_no_room_is_paused_and_goes_on_when_it_has(cloud: MemoryCloud) -> None:
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", name="web")
    id = cloud.run(cloud.core.instances.launch(cloud.caller, request)).instances[0].instance.id
    cloud.advance(10)
    assert explained(cloud, ids.dashed(id))["waits_for"] == "nothing"
    world = cloud.host(cloud.row(id).host).guests
    world.put(evolve(world.look(id), state=GuestState.PAUSED))
    cloud.until(lambda: explained(cloud, ids.dashed(id))["phase"].startswith("paused"))
    found = explained(cloud, ids.dashed(id))
    assert f"compute@{cloud.row(id).host} to let it go on" in found["waits_for"]
    assert "observed by" in found["history"][0] and "paused" in found["history"][0]
    cloud.until(lambda: explained(cloud, ids.dashed(id))["phase"] == "active, none")
    assert world.consoles[id].count(b"tiny: ready") == 1, "it was never cut"


def test_a_wrong_name_is_told_where_the_right_ones_are(cloud: MemoryCloud) -> None:
    with pytest.raises(errors.InvalidValue, match="'hots-1' is no host.*'stackd host list' shows the names of hosts"):
        explained(cloud, "hots-1")
    with pytest.raises(errors.NotFound, match="images, users and projects are not explained"):
        explained(cloud, ids.new_id())
