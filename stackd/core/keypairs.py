"""Key pairs: generated or imported, per user, put into guests at launch."""

import re

from stackd import errors
from stackd.interfaces.clock import Clock
from stackd.model import kinds
from stackd.model.callers import MEMBER, READER, Caller
from stackd.model.ids import new_id
from stackd.model.keypairs import KeyPair, KeyType, NewKeyPair
from stackd.rules import keys, policy
from stackd.store import events, quotas
from stackd.store import keypairs as store
from stackd.store.database import Database, Transaction
from stackd.store.executors import Executor

_NAME = re.compile(r"[ -~]{1,255}")


class KeyPairs:
    """The public keys of users. Every user sees only their own, whatever the project; admins too."""

    def __init__(self, database: Database, clock: Clock, threads: Executor) -> None:
        """``threads`` runs the generation of keys, which is pure CPU."""
        self._database = database
        self._clock = clock
        self._threads = threads

    async def create(self, caller: Caller, name: str, type: KeyType = KeyType.RSA) -> NewKeyPair:
        """Generate a pair; the private key is in the answer and nowhere else.

        Raises ``NotAllowed``, ``InvalidValue`` for the name, ``AlreadyExists``, ``QuotaExceeded``.
        """
        policy.demand(caller, MEMBER, "create key pairs")
        _check_name(name)
        await self._database.read(_refuse_taken, caller, name)  # before the work; the write checks again
        made = await self._threads.run(keys.generate, type, name)
        return NewKeyPair(keypair=await self._keep(caller, name, made.public), private_key=made.private_key)

    async def import_key(self, caller: Caller, name: str, public_key: str | bytes) -> KeyPair:
        """Keep a user's own public key: an OpenSSH line, PEM, or base64 of either.

        Raises ``NotAllowed``, ``InvalidValue`` for the name, ``InvalidKey``, ``AlreadyExists``, ``QuotaExceeded``.
        """
        policy.demand(caller, MEMBER, "import key pairs")
        _check_name(name)
        return await self._keep(caller, name, keys.parse(public_key, name))

    async def list(self, caller: Caller) -> tuple[KeyPair, ...]:
        """All of the caller's, by name."""
        policy.demand(caller, READER, "list key pairs")
        return await self._database.read(store.of_user, caller.user_id)

    async def get(self, caller: Caller, name: str) -> KeyPair:
        """One of the caller's; raises ``NotFound``."""
        policy.demand(caller, READER, "show key pairs")
        found = await self._database.read(store.by_name, caller.user_id, name)
        if found is None:
            raise errors.NotFound(kinds.KEYPAIR, name)
        return found

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove one; guests that have it keep it. Raises ``NotAllowed``, ``NotFound``."""
        policy.demand(caller, MEMBER, "delete key pairs")
        await self._database.write(_delete, caller, name)

    async def _keep(self, caller: Caller, name: str, key: keys.ParsedKey) -> KeyPair:
        keypair = KeyPair(id=new_id(), user_id=caller.user_id, project_id=caller.project_id, name=name, type=key.type,
                          public_key=key.line, fingerprint=key.fingerprint, ec2_fingerprint=key.ec2_fingerprint,
                          created_at=self._clock.seconds())
        await self._database.write(_add, caller, keypair)
        return keypair


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name != name.strip():
        raise errors.InvalidValue("name", "it must have 1 to 255 printable ASCII characters and neither begin nor "
                                          "end with a space.")


def _refuse_taken(tx: Transaction, caller: Caller, name: str) -> None:
    if store.by_name(tx, caller.user_id, name) is not None:
        raise errors.AlreadyExists(kinds.KEYPAIR, name)


def _add(tx: Transaction, caller: Caller, keypair: KeyPair) -> None:
    limits = quotas.lock(tx, caller.project_id)
    _refuse_taken(tx, caller, keypair.name)
    quotas.demand("key_pairs", limits.key_pairs, store.count(tx, caller.user_id), 1)
    store.add(tx, keypair)
    _record(tx, caller, keypair, "create")


def _delete(tx: Transaction, caller: Caller, name: str) -> None:
    gone = store.remove(tx, caller.user_id, name)
    if gone is None:
        raise errors.NotFound(kinds.KEYPAIR, name)
    _record(tx, caller, gone, "delete")


def _record(tx: Transaction, caller: Caller, keypair: KeyPair, action: str) -> None:
    events.record(tx, kinds.KEYPAIR, keypair.id, caller.project_id, action, caller.user_id, caller.request_id,
                  after={"name": keypair.name})
