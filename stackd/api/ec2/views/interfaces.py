"""Ports as EC2 shows them: network interfaces, inside instances and on their own."""

from typing import Any

from stackd.model import kinds
from stackd.model.ids import ec2_id
from stackd.model.instances import InstanceView
from stackd.model.networks import FixedIP, Port, WiringState


def private_dns(address: str, region: str) -> str:
    """The inner DNS name AWS makes of an address; empty for none and for IPv6."""
    if not address or ":" in address:
        return ""
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{domain}"


def ipv4(port: Port) -> list[FixedIP]:
    """The IPv4 addresses of a port, the primary one first."""
    return [fixed for fixed in port.fixed_ips if ":" not in fixed.address]


def groups(port: Port) -> list[dict[str, str]]:
    """The security groups of a port."""
    return [{"GroupId": ec2_id(kinds.SECURITY_GROUP, group.id), "GroupName": group.name} for group in port.groups]


def of_instance(view: InstanceView, port: Port, owner: str, region: str) -> dict[str, Any]:
    """An interface inside an instance's description."""
    wired = port.observed is WiringState.WIRED
    return {
        **_shared(port, owner, region), "Status": "in-use",
        "Attachment": {
            "AttachTime": view.instance.created_at, "AttachmentId": f"eni-attach-{port.id[:17]}",
            "DeleteOnTermination": port.delete_on_termination, "DeviceIndex": port.device_index,
            "Status": "attached" if wired else "attaching", "NetworkCardIndex": 0},
    }


def alone(port: Port, owner: str, region: str, zone: str, is_instance: bool) -> dict[str, Any]:
    """An interface in DescribeNetworkInterfaces; ``is_instance`` tells that ``device_id`` names an instance."""
    view = {**_shared(port, owner, region), "Status": "in-use" if is_instance else "available",
            "AvailabilityZone": zone, "RequesterManaged": False}
    if is_instance:
        view["Attachment"] = {
            "AttachmentId": f"eni-attach-{port.id[:17]}", "InstanceId": ec2_id(kinds.INSTANCE, port.device_id),
            "DeleteOnTermination": port.delete_on_termination, "DeviceIndex": port.device_index,
            "InstanceOwnerId": owner, "Status": "attached", "AttachTime": port.created_at}
    return view


def _shared(port: Port, owner: str, region: str) -> dict[str, Any]:
    addresses = ipv4(port)
    first = addresses[0] if addresses else None
    dns = private_dns(first.address, region) if first else ""
    view: dict[str, Any] = {
        "NetworkInterfaceId": ec2_id(kinds.PORT, port.id), "VpcId": ec2_id(kinds.NETWORK, port.network_id),
        "OwnerId": owner, "MacAddress": port.mac, "Description": port.description, "SourceDestCheck": True,
        "InterfaceType": "interface", "Groups": groups(port),
        "SubnetId": ec2_id(kinds.SUBNET, port.fixed_ips[0].subnet_id) if port.fixed_ips else None,
        "Ipv6Addresses": [{"Ipv6Address": fixed.address} for fixed in port.fixed_ips if ":" in fixed.address],
        "PrivateIpAddress": first.address if first else None, "PrivateDnsName": dns or None,
        "PrivateIpAddresses": [_address(fixed, fixed is first, owner, region) for fixed in addresses],
    }
    if first and first.floating_ip:
        view["Association"] = _association(first, owner)
    return view


def _address(fixed: FixedIP, primary: bool, owner: str, region: str) -> dict[str, Any]:
    view: dict[str, Any] = {"Primary": primary, "PrivateIpAddress": fixed.address,
                            "PrivateDnsName": private_dns(fixed.address, region)}
    if fixed.floating_ip:
        view["Association"] = _association(fixed, owner)
    return view


def _association(fixed: FixedIP, owner: str) -> dict[str, Any]:
    return {"PublicIp": fixed.floating_ip, "PublicDnsName": "", "IpOwnerId": owner}
