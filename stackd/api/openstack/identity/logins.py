"""Keystone's login body as a neutral request for a token; pure."""

from typing import Any

from stackd import errors
from stackd.model.identities import DEFAULT_DOMAIN, Login, Scope, UserLogin

METHODS = ("password", "token", "application_credential")


def login_of(body: dict[str, Any]) -> Login:
    """The login a validated body asks for; raises ``MissingValue``, ``NotSupported`` for other methods."""
    auth = body["auth"]
    identity = auth["identity"]
    method = _method(identity["methods"])
    if method not in identity:
        raise errors.MissingValue(f"auth/identity/{method}")
    given = identity[method]
    scope = _scope(auth.get("scope"))
    if method == "token":
        return Login(scope=scope, token=given["id"])
    user = _user(given.get("user", {}))
    if method == "password":
        if "password" not in given["user"]:
            raise errors.MissingValue("auth/identity/password/user/password")
        return Login(scope=scope, user=user, password=given["user"]["password"])
    return Login(scope=scope, user=user, credential_id=given.get("id", ""), credential_name=given.get("name", ""),
                 credential_secret=given["secret"])


def _method(methods: list[str]) -> str:
    if len(set(methods)) != 1 or methods[0] not in METHODS:
        raise errors.NotAuthenticated(
            f"The authentication methods {', '.join(sorted(set(methods)))} are not offered together.",
            remedy=f"Use one of {', '.join(METHODS)}.")
    return methods[0]


def _user(given: dict[str, Any]) -> UserLogin:
    return UserLogin(id=given.get("id", ""), name=given.get("name", ""), domain=_domain(given))


def _scope(given: Any) -> Scope:
    if given is None:
        return Scope()
    if given == "unscoped" or "unscoped" in given:
        return Scope(unscoped=True)
    if "project" not in given:
        raise errors.NotAuthenticated("This cloud has tokens for projects only, not for domains or the system.",
                                      remedy="Ask for a token scoped to a project.")
    project = given["project"]
    if not project.get("id") and not project.get("name"):
        raise errors.MissingValue("auth/scope/project/id")
    return Scope(project_id=project.get("id", ""), project_name=project.get("name", ""), domain=_domain(project))


def _domain(given: dict[str, Any]) -> str:
    domain = given.get("domain", {})
    return str(domain.get("id") or domain.get("name") or DEFAULT_DOMAIN)
