"""From the body of ``POST /servers`` to the neutral request. Pure."""

import binascii
from base64 import b64decode
from typing import Any

from stackd import errors
from stackd.api.openstack.compute.routing import key
from stackd.api.openstack.compute.schemas.types import true
from stackd.model import kinds
from stackd.model.callers import Caller
from stackd.model.instances import LaunchRequest, NetworkRequest


def launch_request(caller: Caller, body: dict[str, Any]) -> LaunchRequest:
    """The launch that a validated body asks for."""
    zone, host = _place(caller, body)
    least = int(body.get("min_count", 1))
    groups = [group["name"] for group in body.get("security_groups") or ()]
    return LaunchRequest(
        image_id=_image(body), flavor_id=_flavor(body["flavorRef"]), name=body["name"], min_count=least,
        max_count=int(body.get("max_count", least)), networks=_networks(body.get("networks")),
        group_ids=tuple(dict.fromkeys(groups)) or None, key_name=body.get("key_name"),
        user_data=_user_data(body.get("user_data")), metadata=body.get("metadata") or {}, zone=zone, host=host,
        config_drive=true(body.get("config_drive")), description=body.get("description") or "",
        labels=tuple(body.get("tags") or ()), access_ipv4=body.get("accessIPv4", ""),
        access_ipv6=body.get("accessIPv6", ""))


def _image(body: dict[str, Any]) -> str:
    disks = body.get("block_device_mapping_v2") or ()
    named = body.get("imageRef") or next((disk.get("uuid") for disk in disks), None)
    if not named:
        raise errors.BadRequest("Invalid imageRef provided.",
                                remedy="Name an image; booting from volumes is not offered.")
    if any(disk.get("uuid", named) != named for disk in disks):
        raise errors.ConflictingValues("imageRef and block_device_mapping_v2 name different images.",
                                       remedy="Name the image once.")
    return key(kinds.IMAGE, named)


def _flavor(ref: Any) -> str:
    # Clients of old send the address of the flavor.
    return str(ref).rpartition("/")[2]


def _place(caller: Caller, body: dict[str, Any]) -> tuple[str, str]:
    """Zone and host; a host has one hypervisor, so its name may stand for either."""
    zone, _, rest = (body.get("availability_zone") or "").partition(":")
    hosts = {name for name in (*rest.split(":"), body.get("host"), body.get("hypervisor_hostname")) if name}
    if len(hosts) > 1:
        raise errors.ConflictingValues("The request names different hosts.", remedy="Name one.")
    if hosts and not caller.is_admin:
        raise errors.NotAllowed("Only administrators may choose the host of an instance.")
    return zone, next(iter(hosts), "")


def _networks(asked: Any) -> tuple[NetworkRequest, ...] | None:
    if asked == "none":
        return ()
    if not asked or asked == "auto":
        return None
    return tuple(_network(one) for one in asked)


def _network(one: dict[str, Any]) -> NetworkRequest:
    if one.get("port"):
        if one.get("fixed_ip"):
            raise errors.ConflictingValues(f"Specified Fixed IP '{one['fixed_ip']}' cannot be used with port "
                                           f"'{one['port']}': the two cannot be specified together.")
        return NetworkRequest(port_id=key(kinds.PORT, one["port"]))
    if not one.get("uuid"):
        raise errors.BadRequest("Bad networks format: network uuid is not in proper format (None)",
                                remedy="Name a network or a port in each item.")
    return NetworkRequest(network_id=key(kinds.NETWORK, one["uuid"]), fixed_ip=one.get("fixed_ip"))


def _user_data(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise errors.InvalidValue("user_data", "it is not base64") from None
