"""Networks as VPCs: DescribeVpcs, DescribeSubnets, DescribeNetworkInterfaces."""

from collections.abc import Awaitable, Callable, Sequence

from stackd.api.ec2 import filters, lookups, paging
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import interfaces
from stackd.api.ec2.views import networks as views
from stackd.model import kinds
from stackd.model.callers import READER
from stackd.model.networks import Port, Subnet

VPC_PATHS = {
    "cidr": "CidrBlock", "cidr-block-association.cidr-block": "CidrBlockAssociationSet.CidrBlock",
    "cidr-block-association.association-id": "CidrBlockAssociationSet.AssociationId",
    "cidr-block-association.state": "CidrBlockAssociationSet.CidrBlockState.State",
    "dhcp-options-id": "DhcpOptionsId", "is-default": "IsDefault", "isDefault": "IsDefault", "owner-id": "OwnerId",
    "state": "State", "vpc-id": "VpcId",
}
SUBNET_PATHS = {
    "availability-zone": "AvailabilityZone", "availabilityZone": "AvailabilityZone",
    "available-ip-address-count": "AvailableIpAddressCount", "cidr": "CidrBlock", "cidr-block": "CidrBlock",
    "cidrBlock": "CidrBlock", "default-for-az": "DefaultForAz", "defaultForAz": "DefaultForAz",
    "ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
    "map-public-ip-on-launch": "MapPublicIpOnLaunch", "owner-id": "OwnerId", "state": "State",
    "subnet-arn": "SubnetArn", "subnet-id": "SubnetId", "vpc-id": "VpcId",
}
INTERFACE_PATHS = {
    "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
    "addresses.primary": "PrivateIpAddresses.Primary",
    "addresses.association.public-ip": "PrivateIpAddresses.Association.PublicIp",
    "association.public-ip": "Association.PublicIp", "attachment.attachment-id": "Attachment.AttachmentId",
    "attachment.device-index": "Attachment.DeviceIndex", "attachment.instance-id": "Attachment.InstanceId",
    "attachment.status": "Attachment.Status", "availability-zone": "AvailabilityZone", "description": "Description",
    "group-id": "Groups.GroupId", "group-name": "Groups.GroupName", "mac-address": "MacAddress",
    "network-interface-id": "NetworkInterfaceId", "owner-id": "OwnerId", "private-dns-name": "PrivateDnsName",
    "private-ip-address": "PrivateIpAddress", "requester-managed": "RequesterManaged",
    "source-dest-check": "SourceDestCheck", "status": "Status", "subnet-id": "SubnetId", "vpc-id": "VpcId",
}


async def describe_vpcs(call: Call) -> Values:
    """The networks the caller may use; external ones are not shown."""
    networks, tags = await lookups.vpcs(call), await lookups.tags(call, kinds.NETWORK)
    inside: dict[str, list[Subnet]] = {}
    for subnet in await call.core.subnets.list(call.caller):
        inside.setdefault(subnet.network_id, []).append(subnet)
    shown = [views.vpc(one, inside.get(one.id, ()), call.caller.account, tags.get(one.id, []))
             for one in networks.values()]
    return _answer(call, shown, kinds.NETWORK, "VpcId", VPC_PATHS, "Vpcs")


async def describe_subnets(call: Call) -> Values:
    """The subnets of those networks."""
    networks, tags = await lookups.vpcs(call), await lookups.tags(call, kinds.SUBNET)
    subnets = [one for one in await call.core.subnets.list(call.caller) if one.network_id in networks]
    used = await call.core.subnets.in_use(call.caller, tuple(one.id for one in subnets))
    zone = await _first_zone(call)
    shown = [views.subnet(one, networks[one.network_id], used.get(one.id, 0), zone, call.caller.account, call.region,
                          tags.get(one.id, [])) for one in subnets]
    return _answer(call, shown, kinds.SUBNET, "SubnetId", SUBNET_PATHS, "Subnets")


async def describe_network_interfaces(call: Call) -> Values:
    """The ports of those networks."""
    networks, tags = await lookups.vpcs(call), await lookups.tags(call, kinds.PORT)
    zones = {one.id: one.zone for one in await call.core.subnets.list(call.caller)}
    zone = await _first_zone(call)
    shown = []
    for port in await call.core.ports.list(call.caller):
        if port.network_id in networks:
            where = next((zones.get(fixed.subnet_id) for fixed in port.fixed_ips), "") or zone
            shown.append({**interfaces.alone(port, call.caller.account, call.region, where, _of_instance(port)),
                          "TagSet": tags.get(port.id, [])})
    return _answer(call, shown, kinds.PORT, "NetworkInterfaceId", INTERFACE_PATHS, "NetworkInterfaces")


def _of_instance(port: Port) -> bool:
    return port.device_owner.startswith("compute:") and len(port.device_id) == 32


async def _first_zone(call: Call) -> str:
    zones = await call.core.zones.list(call.caller)
    return zones[0].name if zones else ""


def _answer(call: Call, shown: Sequence[Values], kind: str, member: str, paths: filters.Paths, name: str) -> Values:
    """Ids, filters and pages, the same for all three."""
    parameter = f"{member}s"
    wanted = call.items(parameter)
    lookups.demand_known(kind, wanted, (view[member] for view in shown))
    chosen = [view for view in shown if not wanted or view[member] in wanted]
    page, token = paging.page(call, filters.keep(call.items("Filters"), chosen, paths), lambda view: view[member],
                              parameter)
    return {name: page, "NextToken": token}


def _list(run: Callable[[Call], Awaitable[Values]], words: str, ids: str) -> Action:
    return Action(run=run, role=READER, words=words, takes={ids, "Filters", "MaxResults", "NextToken"})


ACTIONS = {
    "DescribeVpcs": _list(describe_vpcs, "list networks", "VpcIds"),
    "DescribeSubnets": _list(describe_subnets, "list subnets", "SubnetIds"),
    "DescribeNetworkInterfaces": _list(describe_network_interfaces, "list ports", "NetworkInterfaceIds"),
}
