"""Key pairs: made or imported, each user's own, within the quota."""

import pytest
from attrs import evolve
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.core.keypairs import KeyPairs
from stackd.model.callers import MEMBER, READER, Caller
from stackd.model.keypairs import KeyType
from stackd.model.quotas import QuotaSet
from stackd.store import quotas
from stackd.store.database import Database
from stackd.store.executors import InlineExecutor
from stackd.testing.databases import memory_database

ANN = Caller(user_id="a" * 32, user_name="ann", project_id="d" * 32, project_name="demo", roles=frozenset({MEMBER}),
             request_id="req-1")
BOB = evolve(ANN, user_id="b" * 32, user_name="bob")
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGcHhJ1bJ1Wf1oGBnCBLrR4S3vZKbKhQoFhG5BvFbYcl"


@pytest.fixture
def database() -> Database:
    """An empty cloud."""
    return memory_database(Clock())


@pytest.fixture
def keypairs(database: Database) -> KeyPairs:
    """Its key pairs."""
    return KeyPairs(database, Clock(), InlineExecutor())


@ensureDeferred
@pytest.mark.parametrize(("type", "begin"), [(KeyType.RSA, "ssh-rsa "), (KeyType.ED25519, "ssh-ed25519 ")])
async def test_the_private_key_is_shown_once_and_the_public_one_kept(
        keypairs: KeyPairs, type: KeyType, begin: str) -> None:
    made = await keypairs.create(ANN, "mine", type)
    assert "PRIVATE KEY" in made.private_key and made.keypair.public_key.startswith(begin)
    assert await keypairs.get(ANN, "mine") == made.keypair
    assert made.keypair.type is type


@ensureDeferred
async def test_users_see_only_their_own_keys(keypairs: KeyPairs) -> None:
    await keypairs.import_key(ANN, "mine", ED25519)
    assert await keypairs.list(BOB) == ()
    for foreign in (keypairs.get(BOB, "mine"), keypairs.delete(BOB, "mine")):
        with pytest.raises(errors.NotFound):
            await foreign
    await keypairs.import_key(BOB, "mine", ED25519)
    assert [keypair.user_id for keypair in await keypairs.list(ANN)] == [ANN.user_id]


@ensureDeferred
async def test_a_taken_name_is_refused(keypairs: KeyPairs) -> None:
    await keypairs.import_key(ANN, "mine", ED25519)
    for again in (keypairs.import_key(ANN, "mine", ED25519), keypairs.create(ANN, "mine")):
        with pytest.raises(errors.AlreadyExists, match="Keypair mine"):
            await again


@ensureDeferred
async def test_a_deleted_key_is_gone_and_its_name_free(keypairs: KeyPairs) -> None:
    await keypairs.import_key(ANN, "mine", ED25519)
    await keypairs.delete(ANN, "mine")
    with pytest.raises(errors.NotFound):
        await keypairs.delete(ANN, "mine")
    await keypairs.import_key(ANN, "mine", ED25519)


@ensureDeferred
async def test_the_quota_is_counted_per_user(keypairs: KeyPairs, database: Database) -> None:
    await database.write(quotas.change, ANN.project_id, QuotaSet(key_pairs=1))
    await keypairs.import_key(ANN, "one", ED25519)
    for more in (keypairs.import_key(ANN, "two", ED25519), keypairs.create(ANN, "two")):
        with pytest.raises(errors.QuotaExceeded, match="limit 1, in use 1"):
            await more
    await keypairs.import_key(BOB, "one", ED25519)


@ensureDeferred
@pytest.mark.parametrize("name", ["", " ", "x" * 256, "tab\t", "ümlaut", " front"])
async def test_names_that_cannot_be_file_names_everywhere_are_refused(keypairs: KeyPairs, name: str) -> None:
    with pytest.raises(errors.InvalidValue, match="name"):
        await keypairs.import_key(ANN, name, ED25519)


@ensureDeferred
async def test_readers_change_nothing(keypairs: KeyPairs) -> None:
    reader = evolve(ANN, roles=frozenset({READER}))
    for change in (keypairs.create(reader, "x"), keypairs.import_key(reader, "x", ED25519),
                   keypairs.delete(reader, "x")):
        with pytest.raises(errors.NotAllowed):
            await change
    assert await keypairs.list(reader) == ()
