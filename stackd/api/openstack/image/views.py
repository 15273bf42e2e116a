"""Images and members as the image API shows them: pure functions from record to body.

Links are paths from ``/v2`` on, as the clients expect; they put the service's own address before them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from stackd.model import ids
from stackd.model.images import Image, ImageMember

VERSIONS = ("v2.7", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0")
"""Newest first. v2.6 is the import of images, which is not offered."""


def image(record: Image) -> dict[str, Any]:
    """One image; its owner's properties stand beside the fields."""
    id = ids.dashed(record.id)
    return {
        **record.properties,
        "id": id, "name": record.name or None, "status": record.status.value, "visibility": record.visibility.value,
        "owner": record.owner, "protected": record.protected, "os_hidden": record.hidden,
        "disk_format": record.disk_format, "container_format": record.container_format,
        "size": record.size, "virtual_size": record.virtual_size, "checksum": record.checksum,
        "os_hash_algo": "sha512" if record.hash_value else None, "os_hash_value": record.hash_value,
        "min_disk": record.min_disk, "min_ram": record.min_ram, "tags": list(record.tags),
        "created_at": moment(record.created_at), "updated_at": moment(record.updated_at),
        "self": f"/v2/images/{id}", "file": f"/v2/images/{id}/file", "schema": "/v2/schemas/image",
    }


def images(records: Iterable[Image], query: Sequence[tuple[str, str]], more: bool) -> dict[str, Any]:
    """A page of images, with the links to the first and the next page of the same query."""
    shown = [image(record) for record in records]
    first = [(name, value) for name, value in query if name != "marker"]
    body = {"images": shown, "first": _link(first), "schema": "/v2/schemas/images"}
    if more:
        body["next"] = _link([*first, ("marker", shown[-1]["id"])])
    return body


def member(record: ImageMember) -> dict[str, Any]:
    """One member of a shared image."""
    return {"member_id": record.member, "image_id": ids.dashed(record.image_id), "status": record.status.value,
            "created_at": moment(record.created_at), "updated_at": moment(record.updated_at),
            "schema": "/v2/schemas/member"}


def members(records: Iterable[ImageMember]) -> dict[str, Any]:
    """All members of an image."""
    return {"members": [member(record) for record in records], "schema": "/v2/schemas/members"}


def versions(root: str) -> dict[str, Any]:
    """What is offered under ``root``, the service's own address without a slash at its end."""
    links = [{"rel": "self", "href": f"{root}/v2/"}]
    return {"versions": [{"id": name, "status": "SUPPORTED" if place else "CURRENT", "links": links}
                         for place, name in enumerate(VERSIONS)]}


def checksums(record: Image) -> Mapping[str, str]:
    """The headers that let a client check what it downloads; the MD5 in hex, as Glance sends it."""
    return {"Content-MD5": record.checksum} if record.checksum else {}


def moment(seconds: float) -> str:
    """Epoch seconds as the API writes a time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _link(query: Sequence[tuple[str, str]]) -> str:
    return f"/v2/images?{urlencode(query)}" if query else "/v2/images"
