"""The shape of images as the API takes and shows them; some clients fetch it and build their model from it.

The requests are checked against the same properties that are published under ``/v2/schemas``.
"""

from typing import Any

from stackd.model.images import CONTAINER_FORMATS, DISK_FORMATS, ImageStatus, MemberStatus, Visibility

_UUID = "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"
_TIME = {"type": "string", "readOnly": True, "description": "Date and time, UTC."}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2147483647}

WRITABLE: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "pattern": _UUID, "description": "An identifier for the image"},
    "name": {"type": ["string", "null"], "maxLength": 255, "description": "Descriptive name for the image"},
    "visibility": {"type": "string", "enum": [each.value for each in Visibility],
                   "description": "Scope of image accessibility"},
    "protected": {"type": "boolean", "description": "If true, image will not be deletable."},
    "os_hidden": {"type": "boolean", "description": "If true, image will not appear in default image list response."},
    "owner": {"type": ["string", "null"], "maxLength": 255, "description": "Owner of the image"},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 255},
             "description": "List of strings related to the image"},
    "container_format": {"type": ["string", "null"], "enum": [None, *CONTAINER_FORMATS],
                         "description": "Format of the container"},
    "disk_format": {"type": ["string", "null"], "enum": [None, *DISK_FORMATS], "description": "Format of the disk"},
    "min_disk": {**_COUNT, "description": "Amount of disk space (in GB) required to boot image."},
    "min_ram": {**_COUNT, "description": "Amount of ram (in MB) required to boot image."},
}

READ_ONLY: dict[str, dict[str, Any]] = {
    "status": {"type": "string", "enum": [each.value for each in ImageStatus], "description": "Status of the image"},
    "checksum": {"type": ["string", "null"], "maxLength": 32, "description": "md5 hash of image contents."},
    "os_hash_algo": {"type": ["string", "null"], "maxLength": 64, "description": "Algorithm of os_hash_value"},
    "os_hash_value": {"type": ["string", "null"], "maxLength": 128, "description": "Hexdigest of the image contents"},
    "size": {"type": ["integer", "null"], "description": "Size of image file in bytes"},
    "virtual_size": {"type": ["integer", "null"], "description": "Virtual size of image in bytes"},
    "created_at": _TIME,
    "updated_at": _TIME,
    "self": {"type": "string", "description": "URL of the image"},
    "file": {"type": "string", "description": "URL of the image's bytes"},
    "schema": {"type": "string", "description": "URL of the image's schema"},
    "direct_url": {"type": "string", "description": "URL in the store; never shown here"},
}
RESERVED = frozenset({"location", "locations", "deleted", "deleted_at", "stores"})
"""Neither taken nor usable as a name of a property."""

PROPERTY = {"type": "string", "maxLength": 65535}
CREATE = {"type": "object", "properties": WRITABLE, "additionalProperties": True}
"""Other properties are the user's own; ``patching`` checks that they are strings and not ours."""

PATCH = {"type": "array", "items": {"type": "object", "additionalProperties": True}}
MEMBER = {"type": "object", "properties": {"member": {"type": "string", "minLength": 1, "maxLength": 255}},
          "required": ["member"], "additionalProperties": False}
MEMBER_STATUS = {"type": "object", "properties": {"status": {"enum": [each.value for each in MemberStatus]}},
                 "required": ["status"], "additionalProperties": False}


_IMAGE = {
    "name": "image",
    "properties": {**WRITABLE, **{name: {**shape, "readOnly": True} for name, shape in READ_ONLY.items()}},
    "additionalProperties": {"type": "string"},
    "links": [{"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"},
              {"rel": "describedby", "href": "{schema}"}],
}
_MEMBER = {
    "name": "member",
    "properties": {
        "member_id": {"type": "string", "description": "An identifier for the image member (tenantId)"},
        "image_id": {"type": "string", "pattern": _UUID, "description": "An identifier for the image"},
        "created_at": _TIME, "updated_at": _TIME,
        "status": {"type": "string", "enum": [each.value for each in MemberStatus]},
        "schema": {"type": "string", "readOnly": True},
    },
}
_TASK = {
    "name": "task",
    "properties": {"id": {"type": "string", "pattern": _UUID}, "type": {"type": "string"},
                   "status": {"type": "string"}},
}


def _list_of(plural: str, item: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": plural,
        "properties": {plural: {"type": "array", "items": item}, "schema": {"type": "string"},
                       "first": {"type": "string"}, "next": {"type": "string"}},
        "links": [{"rel": "describedby", "href": "{schema}"}, {"rel": "first", "href": "{first}"},
                  {"rel": "next", "href": "{next}"}],
    }


PUBLISHED: dict[str, dict[str, Any]] = {
    "image": _IMAGE, "images": _list_of("images", _IMAGE), "member": _MEMBER, "members": _list_of("members", _MEMBER),
    "task": _TASK, "tasks": _list_of("tasks", _TASK),
}
