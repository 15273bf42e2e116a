"""Records of identity as Keystone shows them; pure functions of the address of ``/v3`` and a record."""

from datetime import UTC, datetime
from typing import Any

from stackd.model.identities import (
    DEFAULT_DOMAIN,
    DEFAULT_DOMAIN_NAME,
    AccessKey,
    ApplicationCredential,
    Project,
    Role,
    TokenView,
    User,
)

DOMAIN = {"id": DEFAULT_DOMAIN, "name": DEFAULT_DOMAIN_NAME}


def moment(at: float) -> str:
    """A time as Keystone writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def project(root: str, project: Project) -> dict[str, Any]:
    """A project."""
    return {"id": project.id, "name": project.name, "domain_id": project.domain_id, "parent_id": project.domain_id,
            "description": project.description, "enabled": project.enabled, "is_domain": False, "tags": [],
            "options": {}, "links": {"self": f"{root}/projects/{project.id}"}}


def user(root: str, user: User) -> dict[str, Any]:
    """A user."""
    shown = {"id": user.id, "name": user.name, "domain_id": user.domain_id, "enabled": user.enabled,
             "password_expires_at": None, "options": {}, "links": {"self": f"{root}/users/{user.id}"}}
    optional = {"email": user.email, "description": user.description, "default_project_id": user.default_project_id}
    return {**shown, **{name: value for name, value in optional.items() if value}}


def role(root: str, role: Role) -> dict[str, Any]:
    """A role."""
    return {"id": role.id, "name": role.name, "domain_id": None, "description": role.description or None,
            "options": {}, "links": {"self": f"{root}/roles/{role.id}"}}


def domain(root: str) -> dict[str, Any]:
    """The one domain."""
    return {**DOMAIN, "description": "The default domain", "enabled": True, "tags": [], "options": {},
            "links": {"self": f"{root}/domains/{DEFAULT_DOMAIN}"}}


def access_key(root: str, key: AccessKey) -> dict[str, Any]:
    """An EC2 credential, its secret included as Keystone does."""
    return {"access": key.access, "secret": key.secret, "user_id": key.user_id, "tenant_id": key.project_id,
            "trust_id": None, "links": {"self": f"{root}/users/{key.user_id}/credentials/OS-EC2/{key.access}"}}


def application_credential(root: str, credential: ApplicationCredential,
                           roles: dict[str, str]) -> dict[str, Any]:
    """An application credential; ``roles`` is role name -> id. The secret is shown only when there is one."""
    address = f"{root}/users/{credential.user_id}/application_credentials/{credential.id}"
    shown = {"id": credential.id, "name": credential.name, "description": credential.description or None,
             "user_id": credential.user_id, "project_id": credential.project_id, "unrestricted": False,
             "roles": [{"id": roles.get(name, ""), "name": name, "domain_id": None} for name in credential.roles],
             "expires_at": None if credential.expires_at is None else moment(credential.expires_at)[:-1],
             "system": None, "links": {"self": address}}
    return {**shown, "secret": credential.secret} if credential.secret else shown


def token(view: TokenView, catalog: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A token; without a project it has neither roles nor catalogue, and ``catalog`` None leaves that out too."""
    kept = view.token
    shown: dict[str, Any] = {
        "methods": list(kept.methods),
        "user": {"id": view.user.id, "name": view.user.name, "domain": DOMAIN, "password_expires_at": None},
        "audit_ids": [audit for audit in (kept.audit_id, kept.parent_audit_id) if audit],
        "issued_at": moment(kept.issued_at), "expires_at": moment(kept.expires_at)}
    if view.project is not None:
        shown["project"] = {"id": view.project.id, "name": view.project.name, "domain": DOMAIN}
        shown["is_domain"] = False
        shown["roles"] = [{"id": role.id, "name": role.name} for role in view.roles]
        if catalog is not None:
            shown["catalog"] = catalog
    if kept.application_credential_id:
        shown["application_credential"] = {"id": kept.application_credential_id, "restricted": True}
    return {"token": shown}
