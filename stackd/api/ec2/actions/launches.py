"""RunInstances: from AWS's parameters to the neutral launch request."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from stackd import errors
from stackd.api.ec2 import lookups
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.parsing import decode_base64
from stackd.api.ec2.views import instances as views
from stackd.api.ec2.views.tags import NAME
from stackd.model import kinds
from stackd.model.callers import MEMBER
from stackd.model.instances import LaunchRequest, NetworkRequest, OnLaunchFault, Reservation

DEFAULT_TYPE = "m1.small"
MAX_USER_DATA = 16384


async def run_instances(call: Call) -> Values:
    """Desire new instances; the same ClientToken gives the same reservation."""
    tags = lookups.specified_tags(call, "instance", "network-interface", "volume")
    request = await _request(call, tags.get("instance", {}))
    made = await call.core.instances.launch(call.caller, request)
    await _tag_interfaces(call, made, tags.get("network-interface", {}))
    return views.reservation(made, call.caller.account, call.region)


async def _request(call: Call, tags: Mapping[str, str]) -> LaunchRequest:
    _check(call)
    group_ids = await _groups(call)
    networks, zone = await _networks(call, group_ids)
    return LaunchRequest(
        image_id=await call.core.shortids.one(call.caller, kinds.IMAGE, call.demand("ImageId")),
        flavor_id=await _flavor(call), name=tags.get(NAME, ""), metadata=dict(tags),
        min_count=call.get("MinCount"), max_count=call.get("MaxCount"), networks=networks, group_ids=group_ids,
        key_name=call.get("KeyName") or None, user_data=_user_data(call), zone=zone,
        on_launch_fault=OnLaunchFault.TERMINATE, client_token=call.get("ClientToken") or None,
        request_hash=request_hash(call.parameters), dry_run=call.dry_run)


def request_hash(parameters: Mapping[str, Any]) -> str:
    """What two requests with one ClientToken must have in common: every parameter but the token."""
    rest = {name: value for name, value in parameters.items() if name != "ClientToken"}
    return hashlib.sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS, default=repr)).hexdigest()


def _check(call: Call) -> None:
    low, high = call.get("MinCount"), call.get("MaxCount")
    if not 1 <= low <= high:
        raise errors.InvalidValue("MinCount", f"it must be between 1 and MaxCount ({high}).")
    placement = call.get("Placement", {})
    if placement.get("Tenancy", "default") != "default" or placement.keys() - {"AvailabilityZone", "Tenancy",
                                                                               "GroupName"}:
        raise errors.NotSupported("Only AvailabilityZone is supported in Placement.", remedy="Leave the rest out.")
    if placement.get("GroupName"):
        raise errors.NotSupported("Placement groups are not supported by this cloud.", remedy="Leave GroupName out.")
    if call.get("InstanceInitiatedShutdownBehavior", "stop") != "stop":
        raise errors.NotSupported("InstanceInitiatedShutdownBehavior must be stop.", remedy="Leave it out.")
    if len(call.get("ClientToken", "")) > 64:
        raise errors.InvalidValue("ClientToken", "it must have at most 64 characters.")


def _user_data(call: Call) -> bytes | None:
    text = call.get("UserData")
    if not text:
        return None
    decoded = decode_base64(text, "UserData")
    if len(decoded) > MAX_USER_DATA:
        raise errors.InvalidValue("UserData", f"it is limited to {MAX_USER_DATA} bytes.")
    return decoded


async def _flavor(call: Call) -> str:
    name = call.get("InstanceType") or DEFAULT_TYPE
    try:
        return (await call.core.flavors.by_name(call.caller, name)).id
    except errors.NotFound:
        raise errors.InvalidValue("InstanceType", f"{name!r} does not exist.",
                                  remedy="DescribeInstanceTypes lists those that do.") from None


async def _groups(call: Call) -> tuple[str, ...] | None:
    """The groups of the launch, by id or by name; None for the default one."""
    named = await lookups.groups_named(call, call.items("SecurityGroups"))
    by_id = await lookups.group_ids(call, call.items("SecurityGroupIds"))
    return tuple(dict.fromkeys((*by_id, *(one.id for one in named)))) or None


async def _networks(call: Call, group_ids: tuple[str, ...] | None) -> tuple[tuple[NetworkRequest, ...] | None, str]:
    """The interfaces asked for (None: the default network) and the zone, which a subnet may decide."""
    zone = call.get("Placement", {}).get("AvailabilityZone", "")
    specified = call.items("NetworkInterfaces")
    if not specified:
        if not call.get("SubnetId"):
            if call.get("PrivateIpAddress"):
                raise errors.MissingValue("the parameter SubnetId", remedy="It says where PrivateIpAddress is.")
            return None, zone
        specified = [{"SubnetId": call.get("SubnetId"), "PrivateIpAddress": call.get("PrivateIpAddress")}]
    elif group_ids or call.get("SubnetId") or call.get("PrivateIpAddress"):
        raise errors.ConflictingValues("Network interfaces and an instance-level subnet, security groups or address "
                                       "may not be specified on the same request.",
                                       remedy="Say them in the network interfaces.")
    asked = []
    for one in sorted(specified, key=lambda one: int(one.get("DeviceIndex", 0))):
        request, subnet_zone = await _interface(call, one)
        if subnet_zone and zone and subnet_zone != zone:
            raise errors.ConflictingValues(f"The subnet {one['SubnetId']} is not in the zone {zone}.")
        zone = zone or subnet_zone
        asked.append(request)
    return tuple(asked), zone


async def _interface(call: Call, one: Mapping[str, Any]) -> tuple[NetworkRequest, str]:
    extra = {name for name, value in one.items() if value} - {
        "SubnetId", "PrivateIpAddress", "Groups", "NetworkInterfaceId", "DeviceIndex", "DeleteOnTermination",
        "Description", "NetworkCardIndex", "InterfaceType"}
    if extra:
        raise errors.NotSupported(f"NetworkInterface.{min(extra)} is not supported by this cloud.",
                                  remedy="Leave it out; an address can be associated once the instance runs.")
    resolve = call.core.shortids.one
    if one.get("NetworkInterfaceId"):
        return NetworkRequest(port_id=await resolve(call.caller, kinds.PORT, one["NetworkInterfaceId"])), ""
    groups = await lookups.group_ids(call, one.get("Groups") or ()) or None
    if not one.get("SubnetId"):
        default = await lookups.default_vpc(call)
        if default is None:
            raise errors.MissingValue("the parameter NetworkInterface.1.SubnetId")
        return NetworkRequest(network_id=default, fixed_ip=one.get("PrivateIpAddress"), group_ids=groups), ""
    subnet = await call.core.subnets.get(call.caller, await resolve(call.caller, kinds.SUBNET, one["SubnetId"]))
    return NetworkRequest(network_id=subnet.network_id, subnet_id=subnet.id, fixed_ip=one.get("PrivateIpAddress"),
                          group_ids=groups), subnet.zone


async def _tag_interfaces(call: Call, made: Reservation, tags: Mapping[str, str]) -> None:
    if tags:
        ports = [(kinds.PORT, port.id) for view in made.instances for port in view.ports]
        await call.core.tags.put(call.caller, ports, tags)


ACTIONS = {
    "RunInstances": Action(
        run=run_instances, role=MEMBER, words="launch instances", rehearses=True,
        takes={"ImageId", "InstanceType", "MinCount", "MaxCount", "KeyName", "SecurityGroups", "SecurityGroupIds",
               "SubnetId", "PrivateIpAddress", "NetworkInterfaces", "UserData", "Placement", "ClientToken",
               "TagSpecifications", "InstanceInitiatedShutdownBehavior"},
        harmless={"MetadataOptions", "CreditSpecification", "PrivateDnsNameOptions", "MaintenanceOptions"}),
}
