"""Who is it: our own identity provider ``sql``, on the cloud's database.

Issues tokens for passwords, tokens and application credentials, and tells every API who is behind a token or an
access key. A token is an encrypted value without a row; it counts as long as its user and project are enabled, a role
is held and nobody revoked it, which is looked up in a cache of a few seconds. The parts ``projects``, ``users``,
``roles``, ``access_keys`` and ``application_credentials`` hold the rest of the use cases.
"""

from collections.abc import Sequence

from argon2 import PasswordHasher
from twisted.logger import Logger
from zope.interface import implementer

from stackd import errors
from stackd.core import identity_bootstrap, identity_standing
from stackd.core.identity_access import Changes
from stackd.core.identity_cache import Cache
from stackd.core.identity_credentials import AccessKeys, ApplicationCredentials
from stackd.core.identity_passwords import Passwords, password_hasher
from stackd.core.identity_projects import Hook, Projects
from stackd.core.identity_roles import Roles
from stackd.core.identity_tokens import Keyring, audit_id, refused
from stackd.core.identity_users import Users
from stackd.interfaces.clock import Clock
from stackd.interfaces.identity import IIdentity
from stackd.model import kinds
from stackd.model.callers import ADMIN, Caller
from stackd.model.identities import (
    DEFAULT_DOMAIN,
    DEFAULT_DOMAIN_NAME,
    AccessKey,
    ApplicationCredential,
    Bootstrapped,
    IssuedToken,
    Login,
    Scope,
    Token,
    TokenView,
    User,
    UserLogin,
)
from stackd.model.ids import new_id
from stackd.store import identity as people
from stackd.store import identity_credentials as credentials
from stackd.store.database import Database, Transaction
from stackd.store.executors import Executor

log = Logger()
TOKEN_LIFETIME = 3600.0
CACHE_SECONDS = 3.0


@implementer(IIdentity)
class Identity:
    """The identity of one cloud."""

    def __init__(self, database: Database, clock: Clock, keys: Sequence[str | bytes], threads: Executor, *,
                 token_lifetime: float = TOKEN_LIFETIME, hasher: PasswordHasher | None = None,
                 on_new_project: Sequence[Hook] = (), cache_seconds: float = CACHE_SECONDS) -> None:
        """``keys`` are Fernet keys, the newest first; ``threads`` runs password hashing; times in seconds.

        The hooks are ``fn(tx, project)`` within the transaction that makes a project.
        """
        self._database = database
        self._clock = clock
        self._lifetime = token_lifetime
        self._keyring = Keyring(keys)
        self._passwords = Passwords(threads, hasher or password_hasher())
        self._cache = Cache(clock, cache_seconds)
        self._changes = Changes(database, self._cache)
        self.projects = Projects(database, self._changes, on_new_project)
        self.users = Users(database, self._changes, self._passwords)
        self.roles = Roles(database, self._changes)
        self.access_keys = AccessKeys(database, self._changes, self._keyring)
        self.application_credentials = ApplicationCredentials(database, self._changes, self._passwords)

    # --- what every API asks ------------------------------------------------------------------------

    async def caller_of_token(self, token: str, request_id: str) -> Caller:
        """The caller behind a token; raises ``NotAuthenticated``."""
        return _caller(await self.check(token), request_id)

    async def access_key(self, access: str) -> AccessKey:
        """The key with its secret; raises ``UnknownAccessKey``."""
        found = await self._cache.get(("key", access), lambda: self.access_keys.find(access))
        if found is None:
            raise errors.UnknownAccessKey("The access key does not exist.")
        return found

    async def caller_of_key(self, key: AccessKey, request_id: str) -> Caller:
        """The caller behind a key whose signature was verified; raises ``NotAuthenticated``."""
        now = self._clock.seconds()
        # For this request alone, however long the database keeps it waiting.
        token = Token(user_id=key.user_id, project_id=key.project_id, roles=(), methods=("ec2credential",),
                      issued_at=now, expires_at=now + self._lifetime, audit_id="")
        return _caller(await self._put_to_standing(token), request_id)

    # --- tokens -------------------------------------------------------------------------------------

    async def authenticate(self, login: Login) -> IssuedToken:
        """A new token; raises ``NotAuthenticated``, the same for every reason, and ``ConflictingValues``."""
        try:
            return await self._issue(login)
        except errors.NotAuthenticated:
            log.info("a login as {user} was refused", user=(login.user.name or login.user.id)[:64],
                     credential=login.credential_id[:64],
                     project=(login.scope.project_name or login.scope.project_id)[:64])
            raise

    async def _issue(self, login: Login) -> IssuedToken:
        now = self._clock.seconds()
        proven = await self._prove(login, now)
        project_id = await self._database.read(_project_of_scope, login.scope, proven)
        token = Token(user_id=proven.user_id, project_id=project_id, roles=(), methods=proven.methods, issued_at=now,
                      expires_at=proven.expires_at, audit_id=audit_id(new_id()),
                      parent_audit_id=proven.parent_audit_id,
                      application_credential_id=proven.application_credential_id)
        view = await self._put_to_standing(token)
        return IssuedToken(self._keyring.seal_token(token), view)

    async def check(self, text: str) -> TokenView:
        """What a token stands for now; raises ``NotAuthenticated``. Asks nothing about who wants to know."""
        token = self._keyring.open_token(text)
        if token.audit_id in await self._cache.get("revoked", lambda: self._database.read(credentials.revoked)):
            raise refused()
        return await self._put_to_standing(token)

    async def show_token(self, caller: Caller, text: str) -> TokenView:
        """A token, to its own user and to admins; raises ``NotFound`` for others and for one that is void."""
        try:
            view = await self.check(text)
        except errors.NotAuthenticated:
            raise errors.NotFound(kinds.TOKEN, "in X-Subject-Token") from None
        if not caller.is_admin and view.user.id != caller.user_id:
            raise errors.NotFound(kinds.TOKEN, "in X-Subject-Token")
        return view

    async def revoke_token(self, caller: Caller, text: str) -> None:
        """Void a token, at once in this process and within seconds in others; raises ``NotFound``."""
        token = (await self.show_token(caller, text)).token
        await self._changes.write(credentials.revoke, token.audit_id, token.expires_at)

    async def bootstrap(self, admin_password: str, demo_password: str) -> Bootstrapped:
        """Ensure the projects and users ``admin`` and ``demo``; users that are there keep their passwords."""
        admin_hash = await self._hash_of_new(ADMIN, admin_password)
        demo_hash = await self._hash_of_new(identity_bootstrap.DEMO, demo_password)
        return await self._changes.write(identity_bootstrap.bootstrap, self.projects, self.access_keys, admin_hash,
                                         demo_hash)

    def forget_cached(self) -> None:
        """Look everything up again, after the database was changed by other hands than ours."""
        self._cache.clear()

    # --- proofs -------------------------------------------------------------------------------------

    async def _prove(self, login: Login, now: float) -> Token:
        """Who the login is, as a token without an audit id: what was proven, and until when it may count."""
        given = [login.password, login.token, login.credential_secret]
        if sum(value is not None for value in given) != 1:
            raise errors.ConflictingValues("Exactly one authentication method must be given.")
        if login.token is not None:
            old = (await self.check(login.token)).token
            return _proof(old.user_id, tuple(sorted({*old.methods, "token"})), now, old.expires_at, old)
        until = now + self._lifetime
        if login.password is not None:
            user = await self._user_by_password(login.user, login.password)
            return _proof(user.id, ("password",), now, until)
        credential = await self._credential(login)
        if credential.expires_at is not None:
            until = min(until, credential.expires_at)
        return Token(user_id=credential.user_id, project_id=credential.project_id, roles=(),
                     methods=("application_credential",), issued_at=now, expires_at=until, audit_id="",
                     application_credential_id=credential.id)

    async def _hash_of_new(self, name: str, password: str) -> str:
        """The hash for a user still to be made; empty for one who is there, to save the time at each start."""
        there = await self._database.read(people.user_by_name, name)
        return "" if there else await self._passwords.hash(password)

    async def _user_by_password(self, login: UserLogin, password: str) -> User:
        found = await self._database.read(_login_user, login)
        # The password is looked at in any case, so that time does not tell whether the user exists.
        matches = await self._passwords.matches(found.password_hash if found else "", password)
        if found is None or not matches or not found.user.enabled:
            raise refused()
        return found.user

    async def _credential(self, login: Login) -> ApplicationCredential:
        found = await self._database.read(_login_credential, login)
        matches = await self._passwords.matches(found[1] if found else "", login.credential_secret or "")
        if found is None or not matches:
            raise refused()
        return found[0]

    async def _put_to_standing(self, token: Token) -> TokenView:
        key = (token.user_id, token.project_id, token.application_credential_id)
        standing = await self._cache.get(key, lambda: self._database.read(identity_standing.load, *key))
        return identity_standing.check(token, standing, self._clock.seconds())


def _caller(view: TokenView, request_id: str) -> Caller:
    project = view.project
    return Caller(user_id=view.user.id, user_name=view.user.name, project_id=project.id if project else "",
                  project_name=project.name if project else "", roles=frozenset(role.name for role in view.roles),
                  request_id=request_id, account=project.account if project else "",
                  application_credential_id=view.token.application_credential_id)


def _proof(user_id: str, methods: tuple[str, ...], now: float, until: float, old: Token | None = None) -> Token:
    """What stands proven. A token got by an application credential stays bound to its project."""
    bound = old.application_credential_id if old else ""
    return Token(user_id=user_id, project_id=old.project_id if old and bound else "", roles=(), methods=methods,
                 issued_at=now, expires_at=until, audit_id="", parent_audit_id=old.audit_id if old else "",
                 application_credential_id=bound)


def _is_default(domain: str) -> bool:
    return domain.casefold() in (DEFAULT_DOMAIN, DEFAULT_DOMAIN_NAME.casefold())


def _login_user(tx: Transaction, login: UserLogin) -> people.UserSecrets | None:
    if login.id:
        return people.user_by_id(tx, login.id)
    return people.user_by_name(tx, login.name) if _is_default(login.domain) else None


def _login_credential(tx: Transaction, login: Login) -> tuple[ApplicationCredential, str] | None:
    if login.credential_id:
        return credentials.credential(tx, login.credential_id)
    person = _login_user(tx, login.user)
    return credentials.credential_by_name(tx, person.user.id, login.credential_name) if person else None


def _project_of_scope(tx: Transaction, scope: Scope, proven: Token) -> str:
    """The id of the project asked for; empty for none. Whether the user holds a role there is checked later."""
    if proven.application_credential_id:
        if scope.project_name or scope.project_id not in ("", proven.project_id):
            raise refused()
        return proven.project_id
    if scope.project_id:
        return scope.project_id
    if scope.project_name:
        project = people.project_by_name(tx, scope.project_name) if _is_default(scope.domain) else None
        if project is None:
            raise refused()
        return project.id
    if scope.unscoped:
        return ""
    return _default_project(tx, proven.user_id)


def _default_project(tx: Transaction, user_id: str) -> str:
    """The user's default project; empty when it can no longer be used, which is no reason to refuse the login."""
    person = people.user_by_id(tx, user_id)
    project = people.project_by_id(tx, person.user.default_project_id) if person else None
    usable = project is not None and project.enabled and people.roles_held(tx, user_id, project.id)
    return project.id if project is not None and usable else ""
