"""Flavors: what a new cloud offers, who sees what, who may change it."""

from typing import Any

import pytest
from pytest_twisted import async_fixture, ensureDeferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.core.flavors import Flavors, seed
from stackd.model.callers import ADMIN, MEMBER, Caller
from stackd.model.flavors import Flavor
from stackd.testing.databases import memory_database

ADMINISTRATOR = Caller(user_id="a" * 32, user_name="root", project_id="b" * 32, project_name="admin",
                       roles=frozenset({ADMIN}), request_id="req-1")
SOMEBODY = Caller(user_id="c" * 32, user_name="ann", project_id="d" * 32, project_name="demo",
                  roles=frozenset({MEMBER}), request_id="req-2")
SECRET = Flavor(id="x", name="x1.secret", vcpus=2, memory_mib=100, disk_gib=0, public=False, extra_specs={"a": "b"})


@async_fixture
async def flavors() -> Flavors:
    """A cloud with the default flavors."""
    database = memory_database(Clock())
    await database.write(seed)
    return Flavors(database)


@ensureDeferred
@pytest.mark.parametrize(("name", "vcpus", "memory"), [
    ("t2.nano", 1, 512), ("t2.micro", 1, 1024), ("t2.small", 1, 2048), ("t2.medium", 2, 4096), ("t3.nano", 2, 512),
    ("t3.micro", 2, 1024), ("m5.large", 2, 8192), ("m5.xlarge", 4, 16384), ("c5.large", 2, 4096),
    ("r5.large", 2, 16384), ("m1.tiny", 1, 512), ("m1.xlarge", 8, 16384)])
async def test_the_usual_instance_types_are_there_with_their_usual_sizes(
        flavors: Flavors, name: str, vcpus: int, memory: int) -> None:
    flavor = await flavors.by_name(SOMEBODY, name)
    assert (flavor.vcpus, flavor.memory_mib) == (vcpus, memory)
    assert await flavors.get(SOMEBODY, flavor.id) == flavor


@ensureDeferred
async def test_the_list_goes_from_small_to_large(flavors: Flavors) -> None:
    sizes = [flavor.memory_mib for flavor in await flavors.list(SOMEBODY)]
    assert sizes == sorted(sizes) and len(sizes) > 20


@ensureDeferred
async def test_seeding_again_brings_nothing_back(flavors: Flavors) -> None:
    await flavors.delete(ADMINISTRATOR, "t2.nano")
    await flavors._database.write(seed)
    with pytest.raises(errors.NotFound):
        await flavors.by_name(SOMEBODY, "t2.nano")


@ensureDeferred
async def test_only_admins_see_a_flavor_that_is_not_public(flavors: Flavors) -> None:
    made = await flavors.create(ADMINISTRATOR, SECRET)
    assert made == SECRET
    assert made in await flavors.list(ADMINISTRATOR) and made not in await flavors.list(SOMEBODY)
    for look in (flavors.get(SOMEBODY, "x"), flavors.by_name(SOMEBODY, "x1.secret")):
        with pytest.raises(errors.NotFound):
            await look


@ensureDeferred
async def test_a_taken_id_or_name_is_refused_by_name(flavors: Flavors) -> None:
    for taken in (Flavor(id="t2.nano", name="new", vcpus=1, memory_mib=1, disk_gib=1),
                  Flavor(id="new", name="t2.nano", vcpus=1, memory_mib=1, disk_gib=1)):
        with pytest.raises(errors.AlreadyExists, match=r"t2\.nano already exists"):
            await flavors.create(ADMINISTRATOR, taken)


@ensureDeferred
@pytest.mark.parametrize(("field", "value"), [("vcpus", 0), ("memory_mib", 2**31), ("disk_gib", -1), ("name", "")])
async def test_impossible_sizes_are_refused(flavors: Flavors, field: str, value: Any) -> None:
    sizes: dict[str, Any] = {"id": "n", "name": "n", "vcpus": 1, "memory_mib": 1, "disk_gib": 1} | {field: value}
    with pytest.raises(errors.InvalidValue, match=field):
        await flavors.create(ADMINISTRATOR, Flavor(**sizes))


@ensureDeferred
async def test_members_change_nothing(flavors: Flavors) -> None:
    for change in (flavors.create(SOMEBODY, SECRET), flavors.delete(SOMEBODY, "t2.nano")):
        with pytest.raises(errors.NotAllowed):
            await change
    with pytest.raises(errors.NotFound):
        await flavors.delete(ADMINISTRATOR, "nothing")
