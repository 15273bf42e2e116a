"""Flavors as Nova shows them."""

from typing import Any

from attrs import frozen

from stackd.api.openstack.compute.microversions import Shown, view
from stackd.api.openstack.compute.routing import links
from stackd.api.openstack.http import Call
from stackd.model.flavors import Flavor


@frozen
class _Seen:
    flavor: Flavor
    call: Call


_BRIEF: tuple[Shown[_Seen], ...] = (
    Shown("id", lambda seen: seen.flavor.id),
    Shown("name", lambda seen: seen.flavor.name),
    Shown("links", lambda seen: links(seen.call, "flavors", seen.flavor.id)),
    Shown("description", lambda seen: seen.flavor.description or None, since=(2, 55)),
)
_FULL: tuple[Shown[_Seen], ...] = (
    *_BRIEF,
    Shown("ram", lambda seen: seen.flavor.memory_mib),
    Shown("disk", lambda seen: seen.flavor.disk_gib),
    Shown("vcpus", lambda seen: seen.flavor.vcpus),
    Shown("swap", lambda seen: "", until=(2, 75)),
    Shown("swap", lambda seen: 0, since=(2, 75)),
    Shown("rxtx_factor", lambda seen: 1.0),
    Shown("os-flavor-access:is_public", lambda seen: seen.flavor.public),
    Shown("OS-FLV-DISABLED:disabled", lambda seen: False),
    Shown("OS-FLV-EXT-DATA:ephemeral", lambda seen: 0),
    Shown("extra_specs", lambda seen: dict(seen.flavor.extra_specs), since=(2, 61)),
)


def brief(flavor: Flavor, call: Call) -> dict[str, Any]:
    """An item of a list."""
    return view(_BRIEF, _Seen(flavor, call), call.version)


def full(flavor: Flavor, call: Call) -> dict[str, Any]:
    """Everything."""
    return view(_FULL, _Seen(flavor, call), call.version)
