"""Tags on resources that have none of their own, and EC2's short ids."""

import pytest
import pytest_twisted
from sqlalchemy import insert
from twisted.internet.task import Clock

from stackd import errors
from stackd.core.shortids import ShortIds
from stackd.core.tags import Tags
from stackd.model import kinds
from stackd.model.callers import Caller
from stackd.model.ids import ec2_id
from stackd.store.tables.networks import networks, subnets
from stackd.testing.databases import memory_database
from stackd.testing.projects import finish

VPC, GROUP = "a" * 32, "b" * 32


def caller(project="1" * 32, roles=("member",)):
    """A member of a project."""
    return Caller(user_id="u" * 32, user_name="me", project_id=project, project_name="mine",
                  roles=frozenset(roles), request_id="req-1")


@pytest.fixture
def database():
    """An empty cloud."""
    return memory_database(Clock())


async def shown(tags, who, **conditions):
    """What a project sees, as (resource, key, value)."""
    return [(tag.resource_id, tag.key, tag.value) for tag in await tags.list(who, **conditions)]


@pytest_twisted.ensureDeferred
async def test_tags_are_set_replaced_and_removed(database):
    """By key, by key and value, and all at once."""
    tags, me = Tags(database), caller()
    await tags.put(me, [(kinds.NETWORK, VPC), (kinds.SECURITY_GROUP, GROUP)], {"Name": "old", "env": "test"})
    await tags.put(me, [(kinds.NETWORK, VPC)], {"Name": "new"})
    assert await shown(tags, me, kind=kinds.NETWORK) == [(VPC, "Name", "new"), (VPC, "env", "test")]
    await tags.remove(me, [VPC], {"Name": "old", "env": None})
    assert await shown(tags, me, resource_ids=[VPC]) == [(VPC, "Name", "new")]
    await tags.remove(me, [GROUP], None)
    assert await shown(tags, me) == [(VPC, "Name", "new")]


@pytest_twisted.ensureDeferred
async def test_two_projects_tag_the_same_thing_without_seeing_each_other(database):
    """A public image, say."""
    tags = Tags(database)
    await tags.put(caller(), [(kinds.IMAGE, VPC)], {"mine": "1"})
    await tags.put(caller("2" * 32), [(kinds.IMAGE, VPC)], {"theirs": "2"})
    await tags.remove(caller("2" * 32), [VPC], None)
    assert await shown(tags, caller()) == [(VPC, "mine", "1")]
    assert await shown(tags, caller("2" * 32)) == []


@pytest.mark.parametrize("entries, error", [
    ({"": "x"}, errors.InvalidValue), ({"k" * 128: "x"}, errors.InvalidValue), ({"k": "v" * 256}, errors.InvalidValue),
    ({"aws:own": "x"}, errors.InvalidValue), ({f"k{n}": "" for n in range(51)}, errors.QuotaExceeded)])
@pytest_twisted.ensureDeferred
async def test_limits_of_tags(database, entries, error):
    """Lengths, reserved keys, and fifty a resource."""
    tags = Tags(database)
    with pytest.raises(error):
        await tags.put(caller(), [(kinds.NETWORK, VPC)], entries)
    assert await shown(tags, caller()) == []


@pytest_twisted.ensureDeferred
async def test_readers_cannot_tag(database):
    """Only members."""
    with pytest.raises(errors.NotAllowed):
        await Tags(database).put(caller(roles=("reader",)), [(kinds.NETWORK, VPC)], {"a": "b"})


class NoImages:
    """An image service without images."""

    async def find(self, caller, low, high):
        """Nothing."""
        raise errors.NotFound(kinds.IMAGE, low)


def network(id, project, shared=False):
    """A row."""
    return {"id": id, "project_id": project, "shared": shared}


@pytest.fixture
def short_ids(database):
    """Three networks: mine, theirs, and theirs but shared with a subnet."""
    def fill(tx):
        tx.execute(insert(networks), [network("a" * 32, "1" * 32), network("b" * 32, "2" * 32),
                                      network("c" * 32, "2" * 32, True)])
        tx.execute(insert(subnets).values(id="d" * 32, project_id="2" * 32, network_id="c" * 32, cidr="10.0.0.0/24",
                                          ip_version=4, pools=[], dns=[], name=""))
    finish(database.write(fill))
    return ShortIds(database, NoImages())


@pytest_twisted.ensureDeferred
async def test_ids_are_found_by_their_beginning(short_ids):
    """Mine and shared ones, whatever their number."""
    mine, shared = ec2_id(kinds.NETWORK, "a" * 32), ec2_id(kinds.NETWORK, "c" * 32)
    assert await short_ids.resolve(caller(), kinds.NETWORK, [mine, shared, mine]) == {mine: "a" * 32,
                                                                                     shared: "c" * 32}
    subnet = ec2_id(kinds.SUBNET, "d" * 32)
    assert await short_ids.one(caller(), kinds.SUBNET, subnet) == "d" * 32


@pytest_twisted.ensureDeferred
async def test_all_that_are_missing_are_named_and_foreign_ones_are_missing(short_ids):
    """A foreign network is not found, as everywhere; an admin sees it."""
    foreign, absent = ec2_id(kinds.NETWORK, "b" * 32), "vpc-" + "0" * 17
    with pytest.raises(errors.NotFound) as caught:
        await short_ids.resolve(caller(), kinds.NETWORK,
                                [ec2_id(kinds.NETWORK, "a" * 32), foreign, absent, "vpc-12345678"])
    assert caught.value.id == f"{foreign}, {absent}, vpc-12345678"
    assert await short_ids.one(caller(roles=("admin",)), kinds.NETWORK, foreign) == "b" * 32


@pytest.mark.parametrize("text", ["", "vpc-", "vpc-xyz", "i-" + "a" * 17, "a" * 32, "vpc-" + "A" * 17])
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_an_id_is_malformed(short_ids, text):
    """Also the id of another kind."""
    with pytest.raises(errors.MalformedId):
        await short_ids.one(caller(), kinds.NETWORK, text)


@pytest_twisted.ensureDeferred
async def test_a_thousand_ids_at_once(short_ids):
    """As many as a request may name; databases have limits of their own."""
    many = [f"vpc-{n:017x}" for n in range(1000)]
    with pytest.raises(errors.NotFound):
        await short_ids.resolve(caller(), kinds.NETWORK, many)


@pytest_twisted.ensureDeferred
async def test_images_are_asked_of_the_image_service(short_ids):
    """Which may be a foreign one."""
    with pytest.raises(errors.NotFound) as caught:
        await short_ids.one(caller(), kinds.IMAGE, "ami-" + "0" * 17)
    assert caught.value.kind == kinds.IMAGE
