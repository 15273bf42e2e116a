"""Quotas: what a project may have and has, and who may change it."""

from functools import partial

import pytest
from argon2 import PasswordHasher, profiles
from attrs import evolve, frozen
from pytest_twisted import async_fixture, ensureDeferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.core.identity import Identity
from stackd.core.identity_tokens import new_key
from stackd.core.keypairs import KeyPairs
from stackd.core.quotas import Quotas
from stackd.model.callers import Caller
from stackd.model.keypairs import KeyType
from stackd.model.paging import PageRequest
from stackd.model.quotas import QuotaSet
from stackd.store import defaults
from stackd.store.database import Database
from stackd.store.executors import InlineExecutor


@frozen
class Cloud:
    """Quotas, identity, and two callers."""

    quotas: Quotas
    keypairs: KeyPairs
    identity: Identity
    admin: Caller
    demo: Caller


@async_fixture
async def cloud(database: Database, clock: Clock) -> Cloud:
    """A new cloud whose projects get a default network and group."""
    hook = partial(defaults.new_project, zones=("z1", "z2"), default_cidr="10.0.0.0/16")
    identity = Identity(database, clock, [new_key()], InlineExecutor(), on_new_project=[hook],
                        hasher=PasswordHasher.from_parameters(profiles.CHEAPEST))
    made = await identity.bootstrap("a", "b")
    callers = [await identity.caller_of_key(tenancy.key, "req-1") for tenancy in (made.admin, made.demo)]
    return Cloud(Quotas(database), KeyPairs(database, clock, InlineExecutor()), identity, *callers)


@ensureDeferred
async def test_a_new_project_has_the_default_limits_and_what_it_was_given_counts(cloud: Cloud) -> None:
    limits, used = await cloud.quotas.show(cloud.demo, cloud.demo.project_id)
    assert limits == QuotaSet()
    assert (used.instances, used.cores, used.ram, used.key_pairs, used.floating_ips) == (0, 0, 0, 0, 0)
    assert (used.networks, used.subnets, used.security_groups) == (1, 2, 1) and used.security_group_rules > 0


@ensureDeferred
async def test_key_pairs_are_counted(cloud: Cloud) -> None:
    await cloud.keypairs.create(cloud.demo, "mine", KeyType.ED25519)
    assert (await cloud.quotas.show(cloud.demo, cloud.demo.project_id))[1].key_pairs == 1


@ensureDeferred
async def test_an_admin_changes_some_limits_and_goes_back(cloud: Cloud) -> None:
    project = cloud.demo.project_id
    changed = await cloud.quotas.change(cloud.admin, project, {"instances": 3, "ram": -1})
    assert changed == evolve(QuotaSet(), instances=3, ram=-1)
    assert await cloud.quotas.limits(cloud.demo, project) == changed
    assert await cloud.quotas.limits(cloud.admin, cloud.admin.project_id) == QuotaSet()
    await cloud.quotas.reset(cloud.admin, project)
    assert await cloud.quotas.limits(cloud.demo, project) == QuotaSet()


@ensureDeferred
@pytest.mark.parametrize("limits", [{"instances": -2}, {"cores": 2**31}, {"elephants": 1}])
async def test_limits_that_make_no_sense_are_refused(cloud: Cloud, limits: dict[str, int]) -> None:
    with pytest.raises(errors.InvalidValue, match=next(iter(limits))):
        await cloud.quotas.change(cloud.admin, cloud.demo.project_id, limits)


@ensureDeferred
async def test_members_see_their_own_and_change_nothing(cloud: Cloud) -> None:
    with pytest.raises(errors.NotFound):
        await cloud.quotas.show(cloud.demo, cloud.admin.project_id)
    for change in (cloud.quotas.change(cloud.demo, cloud.demo.project_id, {"cores": 99}),
                   cloud.quotas.reset(cloud.demo, cloud.demo.project_id)):
        with pytest.raises(errors.NotAllowed):
            await change


@ensureDeferred
async def test_an_unknown_project_is_not_found(cloud: Cloud) -> None:
    for asked in (cloud.quotas.show(cloud.admin, "f" * 32), cloud.quotas.change(cloud.admin, "f" * 32, {"cores": 1}),
                  cloud.quotas.reset(cloud.admin, "f" * 32)):
        with pytest.raises(errors.NotFound):
            await asked


@ensureDeferred
async def test_a_deleted_project_leaves_no_network_group_or_quota(cloud: Cloud, database: Database) -> None:
    def left(tx) -> list[int]:  # type: ignore[no-untyped-def]
        return [tx.connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
                for table in ("networks", "subnets", "security_groups", "security_group_rules", "quotas")]

    before = await database.read(left)
    project = await cloud.identity.projects.create(cloud.admin, "short-lived")
    assert await database.read(left) != before
    await cloud.identity.projects.delete(cloud.admin, project.id)
    assert await database.read(left) == before
    assert not (await cloud.identity.projects.list(cloud.admin, PageRequest(), "short-lived")).items
