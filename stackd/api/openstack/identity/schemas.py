"""JSON schemas of the identity API's request bodies, one per operation.

Keystone ignores members it does not know in users, projects and roles, and clients rely on it; so do we.
"""

from typing import Any

Schema = dict[str, Any]

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
TEXT: Schema = {"type": ["string", "null"], "maxLength": 65535}
SECRET: Schema = {"type": "string", "maxLength": 4096}
OPTIONAL_ID: Schema = {"type": ["string", "null"], "maxLength": 64}


def _object(required: tuple[str, ...] = (), open: bool = False, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": open}


def _wrapped(word: str, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return _object((word,), True, **{word: _object(required, True, **properties)})


_DOMAIN = _object(open=True, id=NAME, name=NAME)
_USER = _object(open=True, id={"type": "string"}, name={"type": "string"}, domain=_DOMAIN, password=SECRET)
_SCOPE: Schema = {"anyOf": [
    {"const": "unscoped"},
    _object(open=True, project=_object(open=True, id={"type": "string"}, name={"type": "string"}, domain=_DOMAIN)),
]}

LOGIN = _object(("auth",), auth=_object(
    ("identity",), True,
    identity=_object(
        ("methods",), True,
        methods={"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 8},
        password=_object(("user",), True, user=_USER),
        token=_object(("id",), True, id={"type": "string"}),
        application_credential=_object(("secret",), True, id={"type": "string"}, name={"type": "string"},
                                       secret=SECRET, user=_USER)),
    scope=_SCOPE))

_PROJECT: Schema = {"name": NAME, "description": TEXT, "enabled": {"type": "boolean"}, "domain_id": OPTIONAL_ID,
                    "parent_id": OPTIONAL_ID, "is_domain": {"const": False}}
CREATE_PROJECT = _wrapped("project", ("name",), **_PROJECT)
UPDATE_PROJECT = _wrapped("project", **_PROJECT)

_PERSON: Schema = {"name": NAME, "description": TEXT, "email": {"type": ["string", "null"], "maxLength": 255},
                   "enabled": {"type": "boolean"}, "domain_id": OPTIONAL_ID, "default_project_id": OPTIONAL_ID,
                   "password": {"type": ["string", "null"], "minLength": 1, "maxLength": 4096}}
CREATE_USER = _wrapped("user", ("name",), **_PERSON)
UPDATE_USER = _wrapped("user", **_PERSON)
CHANGE_PASSWORD = _wrapped("user", ("original_password", "password"), original_password=SECRET, password=SECRET)

_ROLE: Schema = {"name": NAME, "description": TEXT, "domain_id": {"type": "null"}}
CREATE_ROLE = _wrapped("role", ("name",), **_ROLE)
UPDATE_ROLE = _wrapped("role", **_ROLE)

CREATE_ACCESS_KEY = _object(("tenant_id",), True, tenant_id=NAME)
CREATE_APPLICATION_CREDENTIAL = _wrapped(
    "application_credential", ("name",), name=NAME, description=TEXT,
    secret={"type": ["string", "null"], "minLength": 1, "maxLength": 255},
    expires_at={"type": ["string", "null"]}, unrestricted={"enum": [False, None]},
    roles={"type": "array", "items": _object(open=True, id=NAME, name=NAME)},
    access_rules={"type": "array", "maxItems": 0})
