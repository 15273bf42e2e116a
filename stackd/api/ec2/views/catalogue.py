"""What a cloud offers, as EC2 shows it: images, instance types, zones."""

from typing import Any

from stackd.api.ec2.rendering import iso8601
from stackd.api.ec2.views.instances import ROOT_DEVICE
from stackd.model import kinds
from stackd.model.flavors import Flavor
from stackd.model.ids import ec2_id, parse_uuid
from stackd.model.images import Image, ImageStatus, Visibility
from stackd.model.zones import Zone

PROVIDER = "000000000000"
"""The account that owns what other projects share: their own number is not told."""
IMAGE_STATES = {
    ImageStatus.QUEUED: "pending", ImageStatus.SAVING: "pending", ImageStatus.ACTIVE: "available",
    ImageStatus.KILLED: "failed", ImageStatus.DEACTIVATED: "disabled", ImageStatus.DELETED: "deregistered",
}
IMAGE_TYPES = {"aki": "kernel", "ari": "ramdisk"}


def image(one: Image, project_id: str, account: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    """The Image of DescribeImages, as the project with this account sees it."""
    own = one.owner == project_id
    owner = account if own else PROVIDER
    view = {
        "ImageId": ec2_id(kinds.IMAGE, one.id), "Name": one.name, "ImageLocation": f"{owner}/{one.name}",
        "State": IMAGE_STATES[one.status], "OwnerId": owner, "Public": one.visibility is Visibility.PUBLIC,
        "CreationDate": iso8601(one.created_at), "Architecture": one.properties.get("architecture", "x86_64"),
        "ImageType": IMAGE_TYPES.get(one.disk_format or "", "machine"), "Hypervisor": "xen",
        "VirtualizationType": "hvm", "RootDeviceType": "instance-store", "RootDeviceName": ROOT_DEVICE,
        "BlockDeviceMappings": [], "ProductCodes": [], "Description": one.properties.get("description", ""),
        "PlatformDetails": "Linux/UNIX", "EnaSupport": False, "Tags": tags,
        "KernelId": _part(one, "kernel_id"), "RamdiskId": _part(one, "ramdisk_id"),
    }
    if not own:
        view["ImageOwnerAlias"] = "amazon"
    return view


def _part(one: Image, name: str) -> str | None:
    id = parse_uuid(one.properties.get(name, ""))
    return ec2_id(kinds.IMAGE, id) if id else None


def instance_type(flavor: Flavor) -> dict[str, Any]:
    """The InstanceTypeInfo of DescribeInstanceTypes."""
    return {
        "InstanceType": flavor.name, "CurrentGeneration": True, "FreeTierEligible": False, "BareMetal": False,
        "SupportedUsageClasses": ["on-demand"], "SupportedRootDeviceTypes": ["instance-store"],
        "SupportedVirtualizationTypes": ["hvm"], "Hypervisor": "xen",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "VCpuInfo": {"DefaultVCpus": flavor.vcpus, "DefaultCores": flavor.vcpus, "DefaultThreadsPerCore": 1},
        "MemoryInfo": {"SizeInMiB": flavor.memory_mib}, "InstanceStorageSupported": True,
        "InstanceStorageInfo": {"TotalSizeInGB": flavor.disk_gib,
                                "Disks": [{"SizeInGB": flavor.disk_gib, "Count": 1, "Type": "hdd"}]},
        "BurstablePerformanceSupported": False, "DedicatedHostsSupported": False, "HibernationSupported": False,
        "AutoRecoverySupported": False, "SupportedBootModes": ["legacy-bios"],
    }


def zone(one: Zone, index: int, region: str) -> dict[str, Any]:
    """The AvailabilityZone of DescribeAvailabilityZones; ``index`` counts from 1."""
    return {"ZoneName": one.name, "ZoneId": f"{region}-az{index}", "RegionName": region, "GroupName": region,
            "State": "available" if one.available else "unavailable", "Messages": [], "ZoneType": "availability-zone",
            "OptInStatus": "opt-in-not-required", "NetworkBorderGroup": region}
