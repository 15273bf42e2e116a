"""The EC2 tree of an instance: ``/{version}/meta-data/``, ``user-data`` and ``dynamic/``. Pure.

Every version shows everything: clients ask for a version to be sure of what they need, not to be spared the rest.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from stackd.model import kinds
from stackd.model.assignments import InstanceAssignment
from stackd.model.ids import EC2_DIGITS, ec2_id
from stackd.model.networks import Port
from stackd.workers.metadata.facts import first_fixed, fixed, full_hostname, live_ports
from stackd.workers.metadata.tree import USER_DATA, Directory, Labelled, Node, pruned

VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
    "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19",
    "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
    "2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11", "latest",
)
# Guests have neither an ephemeral disk nor swap. The names are fixed as they always were, but of disks that cannot
# exist, because guests mount what is named here when they find it.
_BLOCK_DEVICES = {"ami": "vda", "ephemeral0": "sdy", "root": "/dev/vda", "swap": "sdz"}


def ec2_tree(assignment: InstanceAssignment, region: str) -> Directory:
    """What every version shows."""
    return pruned({
        "dynamic": {"instance-identity": {"document": identity_document(assignment, region)}},
        "meta-data": meta(assignment, region),
        "user-data": USER_DATA if assignment.instance.has_user_data else None,
    })


def meta(assignment: InstanceAssignment, region: str) -> Directory:
    """The directory ``meta-data``."""
    instance, ports = assignment.instance, live_ports(assignment)
    address = first_fixed(assignment)
    public = address.floating_ip if address else ""
    return pruned({
        "ami-id": ec2_id(kinds.IMAGE, instance.image.id),
        "ami-launch-index": str(instance.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": _BLOCK_DEVICES,
        "hostname": full_hostname(assignment),
        "instance-action": "none",
        "instance-id": ec2_id(kinds.INSTANCE, instance.id),
        "instance-life-cycle": "on-demand",
        "instance-type": instance.flavor.name,
        **_boot_images(assignment),
        "local-hostname": full_hostname(assignment),
        "local-ipv4": address.address if address else "",
        "mac": ports[0].mac if ports else None,
        "mpi": {},
        "network": {"interfaces": {"macs": {port.mac: _interface(port, assignment) for port in ports}}},
        "placement": {"availability-zone": instance.zone, "region": region},
        "profile": "default-hvm",
        "public-hostname": full_hostname(assignment) if public else "",
        "public-ipv4": public,
        "public-keys": _keys(assignment),
        "reservation-id": ec2_id(kinds.RESERVATION, instance.reservation_id),
        "security-groups": _lines(group.name for port in ports for group in port.groups),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
        "tags": {"instance": _tags(instance.metadata)} if instance.metadata else None,
    })


def identity_document(assignment: InstanceAssignment, region: str) -> str:
    """The instance identity document, as JSON text."""
    instance, address = assignment.instance, first_fixed(assignment)
    boot = _boot_images(assignment)
    return json.dumps({
        "accountId": instance.project_id, "architecture": instance.image.properties.get("architecture", "x86_64"),
        "availabilityZone": instance.zone, "billingProducts": None, "devpayProductCodes": None,
        "imageId": ec2_id(kinds.IMAGE, instance.image.id), "instanceId": ec2_id(kinds.INSTANCE, instance.id),
        "instanceType": instance.flavor.name, "kernelId": boot.get("kernel-id"),
        "marketplaceProductCodes": None,
        "pendingTime": datetime.fromtimestamp(instance.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "privateIp": address.address if address else None, "ramdiskId": boot.get("ramdisk-id"), "region": region,
        "version": "2017-09-30",
    }, indent=2)


def _boot_images(assignment: InstanceAssignment) -> dict[str, str]:
    image = assignment.instance.image
    return {f"{word}-id": f"{prefix}-{file.id[:EC2_DIGITS]}"
            for word, prefix, file in (("kernel", "aki", image.kernel), ("ramdisk", "ari", image.ramdisk))
            if file is not None}


def _keys(assignment: InstanceAssignment) -> Directory | None:
    instance = assignment.instance
    if not instance.public_key:
        return None
    return {"0": Labelled(f"0={instance.key_name}", {"openssh-key": instance.public_key.strip()})}


def _interface(port: Port, assignment: InstanceAssignment) -> Directory:
    own, instance = fixed(port, 4), assignment.instance
    public = [each for each in own if each.floating_ip]
    return pruned({
        "device-number": str(port.device_index),
        "interface-id": ec2_id(kinds.PORT, port.id),
        "ipv4-associations": {each.floating_ip: each.address for each in public} if public else None,
        "ipv6s": _lines(each.address for each in fixed(port, 6)) or None,
        "local-hostname": full_hostname(assignment),
        "local-ipv4s": _lines(each.address for each in own),
        "mac": port.mac,
        "owner-id": instance.project_id,
        "public-hostname": full_hostname(assignment) if public else None,
        "public-ipv4s": _lines(each.floating_ip for each in public) or None,
        "security-group-ids": _lines(ec2_id(kinds.SECURITY_GROUP, group.id) for group in port.groups),
        "security-groups": _lines(group.name for group in port.groups),
        "subnet-id": ec2_id(kinds.SUBNET, port.fixed_ips[0].subnet_id) if port.fixed_ips else None,
        "vpc-id": ec2_id(kinds.NETWORK, port.network_id),
    })


def _tags(metadata: Mapping[str, str]) -> dict[str, Node]:
    """Tags whose key can be a name in a path; the others are to be asked of the API."""
    return {key: value for key, value in metadata.items() if key not in ("", ".", "..") and "/" not in key}


def _lines(words: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(words))
