"""Networks, subnets and public addresses as EC2 shows them."""

from collections.abc import Iterable
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

from stackd.model import kinds
from stackd.model.addresses import FloatingIP
from stackd.model.ids import ec2_id
from stackd.model.networks import Network, Port, Subnet

Tags = list[dict[str, str]]


def span(subnets: Iterable[Subnet]) -> str:
    """The smallest IPv4 prefix that holds all subnets of a network; empty when it has none."""
    prefixes = [ip_network(subnet.cidr) for subnet in subnets if subnet.ip_version == 4]
    if not prefixes:
        return ""
    whole = prefixes[0]
    while not all(isinstance(prefix, IPv4Network) and prefix.subnet_of(whole)  # type: ignore[arg-type]
                  for prefix in prefixes):
        whole = whole.supernet()
    return str(whole)


def vpc(network: Network, subnets: Iterable[Subnet], owner: str, tags: Tags) -> dict[str, Any]:
    """The Vpc of DescribeVpcs."""
    id, cidr = ec2_id(kinds.NETWORK, network.id), span(subnets)
    associations = [{"AssociationId": f"vpc-cidr-assoc-{network.id[:17]}", "CidrBlock": cidr,
                     "CidrBlockState": {"State": "associated"}}] if cidr else []
    return {"VpcId": id, "State": "available", "CidrBlock": cidr, "DhcpOptionsId": "default", "OwnerId": owner,
            "InstanceTenancy": "default", "IsDefault": network.is_default, "CidrBlockAssociationSet": associations,
            "Ipv6CidrBlockAssociationSet": [], "Tags": tags}


def subnet(one: Subnet, network: Network, used: int, zone: str, owner: str, region: str, tags: Tags) -> dict[str, Any]:
    """The Subnet of DescribeSubnets; ``used`` counts addresses taken, ``zone`` is the one shown when it has none."""
    id = ec2_id(kinds.SUBNET, one.id)
    view = {"SubnetId": id, "VpcId": ec2_id(kinds.NETWORK, one.network_id), "State": "available",
            "AvailabilityZone": one.zone or zone, "AvailableIpAddressCount": max(0, capacity(one) - used),
            "DefaultForAz": network.is_default, "MapPublicIpOnLaunch": False, "AssignIpv6AddressOnCreation": False,
            "MapCustomerOwnedIpOnLaunch": False, "OwnerId": owner, "EnableDns64": False, "Ipv6Native": False,
            "SubnetArn": f"arn:aws:ec2:{region}:{owner}:subnet/{id}", "Ipv6CidrBlockAssociationSet": [], "Tags": tags}
    if one.ip_version == 4:
        view["CidrBlock"] = one.cidr
    else:
        view["Ipv6CidrBlockAssociationSet"] = [{"AssociationId": f"subnet-cidr-assoc-{one.id[:17]}",
                                                "Ipv6CidrBlock": one.cidr,
                                                "Ipv6CidrBlockState": {"State": "associated"}}]
    return view


def capacity(one: Subnet) -> int:
    """How many addresses a subnet's pools hold; at most what AWS's integer can say."""
    held = sum(int(ip_address(pool.end)) - int(ip_address(pool.start)) + 1 for pool in one.pools)
    return min(held, 2 ** 31 - 1)


def association_id(address: FloatingIP) -> str:
    """The id of the association an address has; an address has one at most."""
    return f"eipassoc-{address.id[:17]}"


def address(one: FloatingIP, port: Port | None, owner: str, region: str, tags: Tags) -> dict[str, Any]:
    """The Address of DescribeAddresses; ``port`` is the one it leads to."""
    view: dict[str, Any] = {
        "PublicIp": one.address, "AllocationId": ec2_id(kinds.FLOATING_IP, one.id), "Domain": "vpc",
        "PublicIpv4Pool": "amazon", "NetworkBorderGroup": region, "Tags": tags}
    if one.port_id:
        view |= {"AssociationId": association_id(one), "NetworkInterfaceId": ec2_id(kinds.PORT, one.port_id),
                 "NetworkInterfaceOwnerId": owner, "PrivateIpAddress": one.fixed_ip}
        instance_id = one.instance_id or (port.device_id if port else "")
        if instance_id:
            view["InstanceId"] = ec2_id(kinds.INSTANCE, instance_id)
    return view
