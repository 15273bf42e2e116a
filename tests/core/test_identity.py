"""Who is it: tokens by each method, what voids them, and what a stranger can learn (nothing)."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher, profiles
from attrs import evolve, frozen
from pytest_twisted import async_fixture, ensureDeferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.core.identity import Identity
from stackd.core.identity_tokens import new_key
from stackd.interfaces.identity import IIdentity
from stackd.model.callers import Caller
from stackd.model.identities import ApplicationCredential, Bootstrapped, Login, Project, Scope, User, UserLogin
from stackd.model.paging import PageRequest
from stackd.store.database import Database, Transaction
from stackd.store.executors import InlineExecutor
from stackd.testing.databases import memory_database

KEY = new_key()


@frozen
class Cloud:
    """An identity with its clock, and what bootstrapping made."""

    clock: Clock
    database: Database
    identity: Identity
    tenancies: Bootstrapped

    def another_process(self) -> Identity:
        """A second API process on the same database."""
        return new_identity(self.database, self.clock)

    async def login(self, name: str = "demo", scope: Scope = Scope()) -> str:
        """A token by password."""
        return (await self.identity.authenticate(password(name, name + "-secret", scope))).text

    async def caller(self, name: str) -> Caller:
        """The caller behind such a token."""
        return await self.identity.caller_of_token(await self.login(name), "req-1")


def new_identity(database: Database, clock: Clock, **options: Any) -> Identity:
    """An identity as a daemon makes it, with cheap passwords."""
    return Identity(database, clock, [KEY], InlineExecutor(), **options,
                    hasher=PasswordHasher.from_parameters(profiles.CHEAPEST))


def password(name: str, secret: str, scope: Scope = Scope()) -> Login:
    """A login by name and password."""
    return Login(user=UserLogin(name=name), password=secret, scope=scope)


@async_fixture
async def cloud() -> Cloud:
    """A bootstrapped cloud."""
    clock = Clock()
    clock.advance(1_700_000_000.25)
    database = memory_database(clock)
    identity = new_identity(database, clock)
    return Cloud(clock, database, identity, await identity.bootstrap("admin-secret", "demo-secret"))


async def refuses(identity: Identity, token: str) -> bool:
    """Whether a token is void."""
    try:
        await identity.caller_of_token(token, "req-1")
    except errors.NotAuthenticated:
        return True
    return False


def test_it_provides_the_interface(cloud: Cloud) -> None:
    assert verifyObject(IIdentity, cloud.identity)


@ensureDeferred
async def test_a_password_gives_a_caller_in_the_default_project(cloud: Cloud) -> None:
    caller = await cloud.caller("demo")
    demo = cloud.tenancies.demo
    assert caller == Caller(user_id=demo.user.id, user_name="demo", project_id=demo.project.id, project_name="demo",
                            roles=frozenset({"member"}), request_id="req-1", account=demo.project.account)
    assert len(caller.account) == 12 and caller.account.isdigit()


@ensureDeferred
async def test_a_project_can_be_named_in_every_way_clients_do(cloud: Cloud) -> None:
    project = cloud.tenancies.demo.project
    for scope in (Scope(project_id=project.id), Scope(project_name="demo"),
                  Scope(project_name="demo", domain="Default")):
        issued = await cloud.identity.authenticate(password("demo", "demo-secret", scope))
        assert issued.view.project == project


@ensureDeferred
async def test_a_user_can_be_named_by_id(cloud: Cloud) -> None:
    by_id = Login(user=UserLogin(id=cloud.tenancies.demo.user.id), password="demo-secret")
    assert (await cloud.identity.authenticate(by_id)).view.user.name == "demo"


@ensureDeferred
@pytest.mark.parametrize("login", [
    password("nobody", "demo-secret"), password("demo", "wrong"), password("demo", ""),
    password("demo", "demo-secret", Scope(project_name="admin")),
    password("demo", "demo-secret", Scope(project_name="nothing")),
    password("demo", "demo-secret", Scope(project_id="no-hex-at-all")),
    password("demo", "demo-secret", Scope(project_name="demo", domain="foreign")),
    Login(user=UserLogin(name="demo", domain="foreign"), password="demo-secret"),
    Login(token="junk"), Login(token="gAAAAAé"), Login(token=""), Login(token="a" * 300),
    Login(credential_id="f" * 32, credential_secret="x")])
async def test_every_wrong_login_gets_the_same_answer(cloud: Cloud, login: Login) -> None:
    with pytest.raises(errors.NotAuthenticated) as caught:
        await cloud.identity.authenticate(login)
    assert caught.value.message == "The request you have made requires authentication."


@ensureDeferred
async def test_an_unknown_user_costs_what_a_wrong_password_costs(cloud: Cloud) -> None:
    slow = PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1)
    identity = Identity(cloud.database, cloud.clock, [KEY], InlineExecutor(), hasher=slow)
    admin = await cloud.caller("admin")
    await identity.users.create(admin, User(id="", name="slow"), "right")

    async def cost(login: Login) -> float:
        begin = time.process_time()
        for _ in range(5):
            with pytest.raises(errors.NotAuthenticated):
                await identity.authenticate(login)
        return time.process_time() - begin

    known = await cost(password("slow", "wrong"))
    for unknown in (password("nobody", "wrong"), Login(user=UserLogin(name="slow"), credential_name="none",
                                                       credential_secret="x")):
        assert 0.4 < await cost(unknown) / known < 2.5


@ensureDeferred
async def test_an_unscoped_token_can_be_made_scoped_and_keeps_its_expiry(cloud: Cloud) -> None:
    unscoped = await cloud.identity.authenticate(password("demo", "demo-secret", Scope(unscoped=True)))
    assert unscoped.view.project is None and not unscoped.view.roles
    cloud.clock.advance(100)
    scoped = await cloud.identity.authenticate(Login(token=unscoped.text, scope=Scope(project_name="demo")))
    assert scoped.view.project == cloud.tenancies.demo.project
    assert scoped.view.token.expires_at == unscoped.view.token.expires_at
    assert scoped.view.token.methods == ("password", "token")
    assert scoped.view.token.parent_audit_id == unscoped.view.token.audit_id
    assert await cloud.identity.check(scoped.text) == scoped.view


@ensureDeferred
async def test_a_token_ends_with_its_lifetime(cloud: Cloud) -> None:
    token = await cloud.login()
    cloud.clock.advance(3599)
    assert not await refuses(cloud.identity, token)
    cloud.clock.advance(2)
    assert await refuses(cloud.identity, token)


@ensureDeferred
async def test_a_deleted_token_is_void_at_once_here_and_soon_elsewhere(cloud: Cloud) -> None:
    token, other = await cloud.login(), await cloud.login()
    elsewhere = cloud.another_process()
    assert not await refuses(elsewhere, token)
    await cloud.identity.revoke_token(await cloud.caller("demo"), token)
    assert await refuses(cloud.identity, token)
    cloud.clock.advance(5)
    assert await refuses(elsewhere, token)
    assert not await refuses(cloud.identity, other)


Change = Callable[[Cloud, Caller], Any]


@ensureDeferred
@pytest.mark.parametrize("change", [
    lambda c, admin: c.identity.users.update(admin, c.tenancies.demo.user.id, {"enabled": False}),
    lambda c, admin: c.identity.users.update(admin, c.tenancies.demo.user.id, {"password": "new"}),
    lambda c, admin: c.identity.users.delete(admin, c.tenancies.demo.user.id),
    lambda c, admin: c.identity.projects.update(admin, c.tenancies.demo.project.id, {"enabled": False}),
    lambda c, admin: c.identity.projects.delete(admin, c.tenancies.demo.project.id)],
    ids=["user disabled", "password set", "user deleted", "project disabled", "project deleted"])
async def test_a_token_does_not_outlive_what_it_stands_on(cloud: Cloud, change: Change) -> None:
    token, admin = await cloud.login(), await cloud.caller("admin")
    elsewhere = cloud.another_process()
    assert not await refuses(cloud.identity, token) and not await refuses(elsewhere, token)
    cloud.clock.advance(1)
    await change(cloud, admin)
    assert await refuses(cloud.identity, token)
    cloud.clock.advance(5)
    assert await refuses(elsewhere, token)
    assert not await refuses(cloud.identity, await cloud.login("admin"))


@ensureDeferred
async def test_a_revoked_role_voids_the_token_and_a_granted_one_counts_at_once(cloud: Cloud) -> None:
    token, admin, demo = await cloud.login(), await cloud.caller("admin"), cloud.tenancies.demo
    roles = {role.name: role.id for role in await cloud.identity.roles.list(admin, PageRequest())}
    await cloud.identity.roles.grant(admin, demo.user.id, demo.project.id, roles["reader"])
    assert (await cloud.identity.caller_of_token(token, "r")).roles == {"member", "reader"}
    for name in ("member", "reader"):
        await cloud.identity.roles.revoke(admin, demo.user.id, demo.project.id, roles[name])
    assert await refuses(cloud.identity, token)
    assert (await cloud.identity.authenticate(password("demo", "demo-secret"))).view.project is None


@ensureDeferred
async def test_disabling_and_enabling_again_does_not_revive_old_tokens(cloud: Cloud) -> None:
    token, admin = await cloud.login(), await cloud.caller("admin")
    cloud.clock.advance(1)
    for enabled in (False, True):
        await cloud.identity.users.update(admin, cloud.tenancies.demo.user.id, {"enabled": enabled})
    assert await refuses(cloud.identity, token) and not await refuses(cloud.identity, await cloud.login())


@ensureDeferred
async def test_an_access_key_leads_to_its_caller(cloud: Cloud) -> None:
    key = await cloud.identity.access_key(cloud.tenancies.demo.key.access)
    assert key == cloud.tenancies.demo.key
    assert await cloud.identity.caller_of_key(key, "req-1") == await cloud.caller("demo")
    with pytest.raises(errors.UnknownAccessKey):
        await cloud.identity.access_key("AKIANOTHERE")


@ensureDeferred
async def test_an_access_key_is_good_however_long_the_database_keeps_its_request_waiting(cloud: Cloud) -> None:
    class Slow(InlineExecutor):
        def run(self, fn: Callable[..., Any], *args: Any) -> Any:
            cloud.clock.advance(29.0)
            return super().run(fn, *args)

    key = await cloud.identity.access_key(cloud.tenancies.demo.key.access)
    slow = Database("sqlite://", cloud.clock, Slow(), Slow(), lambda *wake: None, lambda tx: None)
    slow.engine, slow._reading = cloud.database.engine, cloud.database._reading
    caller = await new_identity(slow, cloud.clock).caller_of_key(key, "req-1")
    assert caller.user_name == "demo"


@ensureDeferred
async def test_the_key_of_a_disabled_user_is_worth_nothing(cloud: Cloud) -> None:
    admin, key = await cloud.caller("admin"), cloud.tenancies.demo.key
    await cloud.identity.users.update(admin, key.user_id, {"enabled": False})
    with pytest.raises(errors.NotAuthenticated):
        await cloud.identity.caller_of_key(key, "req-1")


@ensureDeferred
async def test_secrets_are_not_to_be_read_in_the_database(cloud: Cloud) -> None:
    caller, demo = await cloud.caller("demo"), cloud.tenancies.demo
    made = await cloud.identity.application_credentials.create(
        caller, ApplicationCredential(id="", user_id=demo.user.id, project_id="", name="ci", roles=()))

    def everything(tx: Transaction) -> str:
        tables = ("users", "access_keys", "application_credentials", "events")
        return repr([tx.connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in tables])

    stored = await cloud.database.read(everything)
    assert demo.key.access in stored and "$argon2id$" in stored
    for secret in (demo.key.secret, made.secret, "demo-secret"):
        assert secret not in stored


@ensureDeferred
async def test_a_check_from_the_cache_takes_less_than_a_tenth_of_a_millisecond(cloud: Cloud) -> None:
    token, rounds = await cloud.login(), 200
    best = 1.0
    for _ in range(5):
        begin = time.process_time()
        for _ in range(rounds):
            await cloud.identity.caller_of_token(token, "req-1")
        best = min(best, (time.process_time() - begin) / rounds)
    assert best < 0.0005  # what is aimed at is 0.0001; a loaded machine must not fail the test


@ensureDeferred
async def test_tokens_survive_a_restart_and_the_rotation_of_keys(cloud: Cloud) -> None:
    token = await cloud.login()
    rotated = Identity(cloud.database, cloud.clock, [new_key(), KEY], InlineExecutor())
    assert not await refuses(rotated, token)
    assert (await rotated.access_key(cloud.tenancies.demo.key.access)).secret == cloud.tenancies.demo.key.secret
    assert await refuses(Identity(cloud.database, cloud.clock, [new_key()], InlineExecutor()), token)


def test_unusable_keys_are_said_at_start() -> None:
    for keys in ([], ["short"]):
        with pytest.raises(errors.BadConfiguration, match="identity keys"):
            Identity(memory_database(Clock()), Clock(), keys, InlineExecutor())


@ensureDeferred
async def test_bootstrapping_again_changes_nothing(cloud: Cloud) -> None:
    assert await cloud.identity.bootstrap("other", "other") == cloud.tenancies
    assert await cloud.login("admin")


@ensureDeferred
async def test_hooks_run_in_the_transaction_that_makes_a_project() -> None:
    made: list[str] = []

    def refuse(tx: Transaction, project: Project) -> None:
        made.append(project.name)
        if project.name == "bad":
            raise errors.NoMoreAddresses("No network is left.")

    database = memory_database(Clock())
    identity = new_identity(database, Clock(), on_new_project=[refuse])
    tenancies = await identity.bootstrap("a", "b")
    admin = evolve(await identity.caller_of_key(tenancies.admin.key, "r"))
    with pytest.raises(errors.NoMoreAddresses):
        await identity.projects.create(admin, "bad")
    assert made == ["admin", "demo", "bad"]
    assert len(await identity.projects.list(admin, PageRequest(), "bad")) == 0
