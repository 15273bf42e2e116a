"""An image as an image service of the v2 API shows it -> our record."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stackd.model import ids
from stackd.model.images import Image, ImageStatus, Visibility

_STATUSES = {"uploading": ImageStatus.SAVING, "importing": ImageStatus.SAVING,
             "pending_delete": ImageStatus.DELETED}
_FIELDS = frozenset({
    "id", "owner", "name", "status", "visibility", "protected", "os_hidden", "disk_format", "container_format", "size",
    "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "min_disk", "min_ram", "tags", "created_at",
    "updated_at", "self", "file", "schema", "direct_url", "locations", "stores"})


def image_of(shown: Mapping[str, Any]) -> Image:
    """The record; raises ``KeyError``, ``TypeError`` or ``ValueError`` for what is no image."""
    id = ids.parse_uuid(shown["id"])
    if id is None:
        raise ValueError(f"{shown['id']!r} is not the id of an image")
    hashed = shown.get("os_hash_algo") == "sha512"
    return Image(
        id=id, owner=shown.get("owner") or "", name=shown.get("name") or "", status=_status(shown["status"]),
        visibility=Visibility(shown["visibility"]), disk_format=shown.get("disk_format"),
        container_format=shown.get("container_format"), size=shown.get("size"),
        virtual_size=shown.get("virtual_size"), checksum=shown.get("checksum"),
        hash_value=shown.get("os_hash_value") if hashed else None, min_disk=int(shown.get("min_disk") or 0),
        min_ram=int(shown.get("min_ram") or 0), protected=bool(shown.get("protected")),
        hidden=bool(shown.get("os_hidden")), tags=tuple(shown.get("tags") or ()), properties=_properties(shown),
        created_at=_seconds(shown["created_at"]), updated_at=_seconds(shown["updated_at"]))


def _properties(shown: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in shown.items() if name not in _FIELDS and isinstance(value, str)}


def _status(word: str) -> ImageStatus:
    return _STATUSES.get(word) or ImageStatus(word)


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
