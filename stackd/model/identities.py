"""Projects, users, roles and the credentials that prove who somebody is."""

from attrs import field, frozen

DEFAULT_DOMAIN = "default"


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
class Assignment:
    """A role a user holds in a project."""

    user_id: str
    project_id: str
    role: str


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
    roles: tuple[str, ...] = field(converter=tuple)
    description: str = ""
    secret: str = ""
    expires_at: float | None = None
    created_at: float = 0.0


@frozen(kw_only=True)
class Token:
    """What a Fernet token carries. ``methods`` as Keystone counts them; times epoch seconds."""

    user_id: str
    project_id: str
    roles: tuple[str, ...] = field(converter=tuple)
    methods: tuple[str, ...] = field(converter=tuple)
    issued_at: float
    expires_at: float
    audit_id: str
