"""Projects, users, roles and the credentials that prove who somebody is."""

from attrs import field, frozen

DEFAULT_DOMAIN = "default"
DEFAULT_DOMAIN_NAME = "Default"


@frozen(kw_only=True)
class Project:
    """A tenant; ``account`` is its stable 12-digit number in EC2 and STS."""

    id: str
    name: str
    account: str
    description: str = ""
    enabled: bool = True
    domain_id: str = DEFAULT_DOMAIN
    created_at: float = 0.0


@frozen(kw_only=True)
class User:
    """A person or program; the password's hash never leaves the store."""

    id: str
    name: str
    enabled: bool = True
    email: str = ""
    description: str = ""
    domain_id: str = DEFAULT_DOMAIN
    default_project_id: str = ""
    created_at: float = 0.0


@frozen(kw_only=True)
class Role:
    """What may be done; ``admin``, ``member`` and ``reader`` mean something to us, others are only kept."""

    id: str
    name: str
    description: str = ""


@frozen(kw_only=True)
class Assignment:
    """A role a user holds in a project."""

    user_id: str
    project_id: str
    role: str
    """The role's name."""
    role_id: str = ""


@frozen(kw_only=True)
class AccessKey:
    """An EC2 credential; ``secret`` is in clear only in memory, encrypted at rest."""

    access: str
    secret: str
    user_id: str
    project_id: str
    created_at: float = 0.0


@frozen(kw_only=True)
class ApplicationCredential:
    """A password of a program, bound to one user, project and subset of roles.

    ``secret`` is set only in the answer to its creation. ``expires_at`` None means never.
    """

    id: str
    user_id: str
    project_id: str
    name: str
    roles: tuple[str, ...]
    description: str = ""
    secret: str = ""
    expires_at: float | None = None
    created_at: float = 0.0


@frozen(kw_only=True)
class Token:
    """What a Fernet token carries. ``methods`` as Keystone counts them; times epoch seconds.

    ``roles`` are names; empty until the token was checked, because the roles that count are those held now.
    """

    user_id: str
    project_id: str
    roles: tuple[str, ...]
    methods: tuple[str, ...]
    issued_at: float
    expires_at: float
    audit_id: str
    parent_audit_id: str = ""
    """Of the token this one was got with."""
    application_credential_id: str = ""


@frozen(kw_only=True)
class TokenView:
    """A checked token with all that the identity API shows of it; ``project`` is None when it is unscoped."""

    token: Token
    user: User
    project: Project | None = None
    roles: tuple[Role, ...] = ()


@frozen
class IssuedToken:
    """A new token: its text for ``X-Auth-Token``, and what it stands for."""

    text: str = field(repr=False)
    view: TokenView


@frozen(kw_only=True)
class UserLogin:
    """Who a password or an application credential belongs to: an id, or a name (in the one domain)."""

    id: str = ""
    name: str = ""
    domain: str = DEFAULT_DOMAIN
    """Id or name of the domain the name is in."""


@frozen(kw_only=True)
class Scope:
    """What a token is asked for: a project by id, or by name in a domain; ``unscoped`` refuses any project.

    With nothing set it is the user's default project, or none.
    """

    project_id: str = ""
    project_name: str = ""
    domain: str = DEFAULT_DOMAIN
    unscoped: bool = False


@frozen(kw_only=True)
class Login:
    """A request for a token, by exactly one of password, token or application credential."""

    scope: Scope = Scope()
    user: UserLogin = UserLogin()
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    credential_id: str = ""
    credential_name: str = ""
    credential_secret: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Tenancy:
    """What bootstrapping made for one user: all that the client's configuration files need."""

    user: User
    project: Project
    key: AccessKey = field(repr=False)


@frozen(kw_only=True)
class Bootstrapped:
    """The first two tenancies of a cloud."""

    admin: Tenancy
    demo: Tenancy
