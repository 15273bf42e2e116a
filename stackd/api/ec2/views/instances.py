"""Instances as EC2 shows them: inside reservations, by status, and one attribute at a time."""

from collections.abc import Container, Iterable
from typing import Any

from stackd.api.ec2.views import interfaces, states, tags
from stackd.model import kinds
from stackd.model.ids import ec2_id
from stackd.model.instances import InstanceView, Reservation, StateChange
from stackd.model.networks import Port

ROOT_DEVICE = "/dev/vda"


def instance(view: InstanceView, owner: str, region: str) -> dict[str, Any]:
    """The Instance of DescribeInstances and RunInstances."""
    one = view.instance
    phase = one.phase
    ended = phase is not None and states.STATES[phase.steady, phase.transition] == states.TERMINATED
    reason = states.reason(one)
    flavor = one.flavor
    return {
        "InstanceId": ec2_id(kinds.INSTANCE, one.id), "ImageId": ec2_id(kinds.IMAGE, one.image.id),
        "State": states.state(phase), "StateReason": reason,
        "StateTransitionReason": "User initiated" if reason and reason["Code"].startswith("Client.User") else "",
        "KeyName": one.key_name or None, "AmiLaunchIndex": one.launch_index, "InstanceType": flavor.name,
        "LaunchTime": one.created_at, "Architecture": one.image.properties.get("architecture", "x86_64"),
        "Placement": {"AvailabilityZone": one.zone or one.zone_wanted, "GroupName": "", "Tenancy": "default"},
        "KernelId": ec2_id(kinds.IMAGE, one.image.kernel.id) if one.image.kernel else None,
        "RamdiskId": ec2_id(kinds.IMAGE, one.image.ramdisk.id) if one.image.ramdisk else None,
        "Monitoring": {"State": "disabled"}, "EbsOptimized": False, "Hypervisor": "xen",
        "VirtualizationType": "hvm", "RootDeviceName": ROOT_DEVICE, "RootDeviceType": "instance-store",
        "BlockDeviceMappings": [], "ProductCodes": [], "SourceDestCheck": True,
        "CpuOptions": {"CoreCount": flavor.vcpus, "ThreadsPerCore": 1},
        "Tags": tags.shown(tags.of_instance(one)),
        **_network(() if ended else view.ports, view, owner, region),
    }


def _network(ports: Iterable[Port], view: InstanceView, owner: str, region: str) -> dict[str, Any]:
    """The network side; what has ended keeps none of it, as in AWS."""
    shown = [interfaces.of_instance(view, port, owner, region) for port in ports]
    if not shown:
        return {"NetworkInterfaces": [], "SecurityGroups": [], "PrivateDnsName": "", "PublicDnsName": ""}
    first = shown[0]
    return {
        "NetworkInterfaces": shown, "SecurityGroups": first["Groups"], "VpcId": first["VpcId"],
        "SubnetId": first["SubnetId"], "PrivateIpAddress": first["PrivateIpAddress"],
        "PrivateDnsName": first["PrivateDnsName"] or "", "PublicDnsName": "",
        "PublicIpAddress": first.get("Association", {}).get("PublicIp"),
        "Ipv6Address": first["Ipv6Addresses"][0]["Ipv6Address"] if first["Ipv6Addresses"] else None,
    }


def reservation(made: Reservation, owner: str, region: str) -> dict[str, Any]:
    """The Reservation that RunInstances answers with."""
    return _reservation(made.id, owner, [instance(view, owner, region) for view in made.instances])


def reservations(views: Iterable[tuple[str, dict[str, Any]]], owner: str) -> list[dict[str, Any]]:
    """Instances gathered into their reservations, from (reservation id, view), in the order they come."""
    gathered: dict[str, list[dict[str, Any]]] = {}
    for id, view in views:
        gathered.setdefault(id, []).append(view)
    return [_reservation(id, owner, members) for id, members in gathered.items()]


def _reservation(id: str, owner: str, members: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ReservationId": ec2_id(kinds.RESERVATION, id), "OwnerId": owner, "Groups": [], "Instances": members}


def status(view: InstanceView, lost: Container[str]) -> dict[str, Any]:
    """The InstanceStatus of DescribeInstanceStatus; ``lost`` are the hosts that are down."""
    one = view.instance
    up, down = states.is_up(one), one.host in lost
    of_instance = _check("not-applicable" if not up else "insufficient-data" if down else "ok")
    of_system = _check("not-applicable" if not up else "impaired" if down else "ok")
    return {"InstanceId": ec2_id(kinds.INSTANCE, one.id), "AvailabilityZone": one.zone or one.zone_wanted,
            "InstanceState": states.state(one.phase), "InstanceStatus": of_instance, "SystemStatus": of_system,
            "Events": []}


_REACHABILITY = {"ok": "passed", "impaired": "failed", "insufficient-data": "insufficient-data"}


def _check(status: str) -> dict[str, Any]:
    return {"Status": status, "Details": [{"Name": "reachability", "Status": _REACHABILITY[status]}]
            if status in _REACHABILITY else []}


def change(made: StateChange) -> dict[str, Any]:
    """The InstanceStateChange of Start-, Stop- and TerminateInstances."""
    return {"InstanceId": ec2_id(kinds.INSTANCE, made.after.instance.id),
            "CurrentState": states.state(made.after.instance.phase), "PreviousState": states.state(made.before)}
