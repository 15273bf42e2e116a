"""Credentials of programs: EC2 access keys and application credentials. Users make and see only their own."""

import base64
import secrets
import string

from attrs import evolve

from stackd import errors
from stackd.core.identity_access import Changes, demand_name, demand_person, demand_self, note
from stackd.core.identity_passwords import Passwords, new_secret
from stackd.core.identity_tokens import Keyring
from stackd.model import kinds
from stackd.model.callers import Caller
from stackd.model.identities import AccessKey, ApplicationCredential, Project, User
from stackd.model.ids import new_id
from stackd.store import identity as people
from stackd.store import identity_credentials as store
from stackd.store.database import Database, Transaction


class AccessKeys:
    """EC2 keys: an access id and a secret, for one user in one project."""

    def __init__(self, database: Database, changes: Changes, keyring: Keyring) -> None:
        """``keyring`` encrypts the secrets."""
        self._database = database
        self._changes = changes
        self._keyring = keyring

    async def find(self, access: str) -> AccessKey | None:
        """A key with its secret, for verifying signatures; asks nothing about the caller."""
        found = await self._database.read(store.key, access)
        return None if found is None else self._opened(found)

    async def list(self, caller: Caller, user_id: str) -> tuple[AccessKey, ...]:
        """All of a user, oldest first; raises ``NotFound`` for another user."""
        demand_self(caller, user_id)
        demand_person(caller, "see EC2 credentials")
        return tuple(map(self._opened, await self._database.read(store.keys_of, user_id)))

    async def get(self, caller: Caller, user_id: str, access: str) -> AccessKey:
        """One of a user; raises ``NotFound``."""
        demand_self(caller, user_id)
        # Their secrets carry all roles of the user, in other projects too.
        demand_person(caller, "see EC2 credentials")
        return self._opened(await self._database.read(_own_key, user_id, access))

    async def create(self, caller: Caller, user_id: str, project_id: str) -> AccessKey:
        """Make one; raises ``NotFound`` for another user, or for a project the user holds no role in."""
        demand_self(caller, user_id)
        demand_person(caller, "create EC2 credentials")
        return await self._changes.write(self._create, caller, user_id, project_id)

    async def delete(self, caller: Caller, user_id: str, access: str) -> None:
        """End one; raises ``NotFound``."""
        demand_self(caller, user_id)
        demand_person(caller, "delete EC2 credentials")
        await self._changes.write(_delete_key, caller, user_id, access)

    def ensure(self, tx: Transaction, caller: Caller, user: User, project: Project) -> AccessKey:
        """The oldest key of the user in the project, made when there is none; for bootstrapping."""
        for key in store.keys_of(tx, user.id):
            if key.project_id == project.id:
                return self._opened(key)
        return self._create(tx, caller, user.id, project.id)

    def _create(self, tx: Transaction, caller: Caller, user_id: str, project_id: str) -> AccessKey:
        if not people.roles_held(tx, user_id, project_id):
            raise errors.NotFound(kinds.PROJECT, project_id)
        key = AccessKey(access=_new_access(), secret=_new_secret_key(), user_id=user_id,
                        project_id=project_id, created_at=tx.now)
        store.add_key(tx, key, self._keyring.seal_secret(key.secret))
        note(tx, caller, kinds.ACCESS_KEY, key.access, "create", project_id)
        return key

    def _opened(self, key: AccessKey) -> AccessKey:
        return evolve(key, secret=self._keyring.open_secret(key.secret))


class ApplicationCredentials:
    """Passwords of programs, bound to the project of the token they were made with."""

    def __init__(self, database: Database, changes: Changes, passwords: Passwords) -> None:
        """``passwords`` hashes the secrets."""
        self._database = database
        self._changes = changes
        self._passwords = passwords

    async def list(self, caller: Caller, user_id: str) -> tuple[ApplicationCredential, ...]:
        """All of a user, by name; raises ``NotFound`` for another user."""
        demand_self(caller, user_id)
        return await self._database.read(store.credentials_of, user_id)

    async def get(self, caller: Caller, user_id: str, id: str) -> ApplicationCredential:
        """One of a user; raises ``NotFound``."""
        demand_self(caller, user_id)
        return await self._database.read(_own_credential, user_id, id)

    async def create(self, caller: Caller, asked: ApplicationCredential) -> ApplicationCredential:
        """Make one for the caller in the project of the token; the answer alone holds the secret.

        ``asked.roles`` empty means all roles of the token; ``asked.secret`` empty means one is made. Raises
        ``NotFound`` for another user, ``NotAllowed`` for roles not held, ``AlreadyExists``, ``InvalidValue``.
        """
        if caller.user_id != asked.user_id:
            raise errors.NotFound(kinds.USER, asked.user_id)
        demand_person(caller, "create application credentials")
        _check(caller, asked)
        secret = asked.secret or new_secret()
        hashed = await self._passwords.hash(secret)
        credential = evolve(asked, id=new_id(), project_id=caller.project_id, secret=secret,
                            roles=asked.roles or tuple(sorted(caller.roles)))
        return await self._changes.write(_create_credential, caller, credential, hashed)

    async def delete(self, caller: Caller, user_id: str, id: str) -> None:
        """End one; the tokens got with it are void. Raises ``NotFound``."""
        demand_self(caller, user_id)
        demand_person(caller, "delete application credentials")
        await self._changes.write(_delete_credential, caller, user_id, id)


def _new_access() -> str:
    return "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()


def _new_secret_key() -> str:
    """40 characters as AWS has, but letters and digits only: nothing a shell or a URL could trip over."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))


def _own_key(tx: Transaction, user_id: str, access: str) -> AccessKey:
    key = store.key(tx, access)
    if key is None or key.user_id != user_id:
        raise errors.NotFound(kinds.ACCESS_KEY, access)
    return key


def _delete_key(tx: Transaction, caller: Caller, user_id: str, access: str) -> None:
    key = _own_key(tx, user_id, access)
    store.remove_key(tx, access)
    note(tx, caller, kinds.ACCESS_KEY, access, "delete", key.project_id)


def _check(caller: Caller, asked: ApplicationCredential) -> None:
    demand_name(kinds.APPLICATION_CREDENTIAL.replace("_", " "), asked.name)
    if not caller.project_id:
        raise errors.NotAllowed("An unscoped token cannot create application credentials.",
                                remedy="Ask for a token scoped to a project.")
    if missing := sorted(set(asked.roles) - caller.roles):
        raise errors.NotAllowed(f"{caller.user_name} does not hold {', '.join(missing)} in the project.")


def _create_credential(tx: Transaction, caller: Caller, asked: ApplicationCredential,
                       hashed: str) -> ApplicationCredential:
    if store.credential_by_name(tx, asked.user_id, asked.name) is not None:
        raise errors.AlreadyExists(kinds.APPLICATION_CREDENTIAL, asked.name)
    if asked.expires_at is not None and asked.expires_at <= tx.now:
        raise errors.InvalidValue("expires_at", "it is in the past.")
    credential = evolve(asked, created_at=tx.now)
    store.add_credential(tx, credential, hashed)
    note(tx, caller, kinds.APPLICATION_CREDENTIAL, credential.id, "create")
    return credential


def _own_credential(tx: Transaction, user_id: str, id: str) -> ApplicationCredential:
    found = store.credential(tx, id)
    if found is None or found[0].user_id != user_id:
        raise errors.NotFound(kinds.APPLICATION_CREDENTIAL, id)
    return found[0]


def _delete_credential(tx: Transaction, caller: Caller, user_id: str, id: str) -> None:
    credential = _own_credential(tx, user_id, id)
    store.remove_credential(tx, id)
    note(tx, caller, kinds.APPLICATION_CREDENTIAL, id, "delete", credential.project_id)
