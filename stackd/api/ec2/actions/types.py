"""Instance types: DescribeInstanceTypes and DescribeInstanceTypeOfferings."""

from collections.abc import Sequence

from stackd import errors
from stackd.api.ec2 import filters, paging
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import catalogue as views
from stackd.model.callers import READER
from stackd.model.flavors import Flavor

PATHS = {
    "bare-metal": "BareMetal", "burstable-performance-supported": "BurstablePerformanceSupported",
    "current-generation": "CurrentGeneration", "free-tier-eligible": "FreeTierEligible", "hypervisor": "Hypervisor",
    "instance-storage-supported": "InstanceStorageSupported", "instance-type": "InstanceType",
    "instance-storage-info.total-size-in-gb": "InstanceStorageInfo.TotalSizeInGB",
    "memory-info.size-in-mib": "MemoryInfo.SizeInMiB",
    "processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures",
    "supported-root-device-type": "SupportedRootDeviceTypes", "supported-usage-class": "SupportedUsageClasses",
    "supported-virtualization-type": "SupportedVirtualizationTypes", "vcpu-info.default-vcpus": "VCpuInfo.DefaultVCpus",
    "vcpu-info.default-cores": "VCpuInfo.DefaultCores",
    "vcpu-info.default-threads-per-core": "VCpuInfo.DefaultThreadsPerCore",
}
OFFERING_PATHS = {"instance-type": "InstanceType", "location": "Location"}


async def describe_instance_types(call: Call) -> Values:
    """The flavors of the cloud."""
    flavors = await call.core.flavors.list(call.caller)
    chosen = _chosen(flavors, call.items("InstanceTypes"))
    shown = filters.keep(call.items("Filters"), [views.instance_type(one) for one in chosen], PATHS)
    page, token = paging.page(call, shown, lambda view: view["InstanceType"], "InstanceTypes")
    return {"InstanceTypes": page, "NextToken": token}


def _chosen(flavors: Sequence[Flavor], names: Sequence[str]) -> list[Flavor]:
    by_name = {one.name: one for one in flavors}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise errors.InvalidValue("InstanceType", f"the instance types {', '.join(missing)} do not exist.",
                                  remedy="DescribeInstanceTypes lists those that do.")
    return [by_name[name] for name in dict.fromkeys(names)] or list(flavors)


async def describe_instance_type_offerings(call: Call) -> Values:
    """Every flavor is offered in the region and in each zone."""
    kind = call.get("LocationType", "region")
    locations = [call.region]
    if kind.startswith("availability-zone"):
        zones = await call.core.zones.list(call.caller)
        shown_zones = [views.zone(one, index, call.region) for index, one in enumerate(zones, 1)]
        locations = [view["ZoneName" if kind == "availability-zone" else "ZoneId"] for view in shown_zones]
    shown = [{"InstanceType": one.name, "LocationType": kind, "Location": location}
             for one in await call.core.flavors.list(call.caller) for location in locations]
    page, token = paging.page(call, filters.keep(call.items("Filters"), shown, OFFERING_PATHS),
                              lambda view: f"{view['InstanceType']} {view['Location']}")
    return {"InstanceTypeOfferings": page, "NextToken": token}


ACTIONS = {
    "DescribeInstanceTypes": Action(run=describe_instance_types, role=READER, words="list instance types",
                                    takes={"InstanceTypes", "Filters", "MaxResults", "NextToken"}),
    "DescribeInstanceTypeOfferings": Action(run=describe_instance_type_offerings, role=READER,
                                            words="list instance types",
                                            takes={"LocationType", "Filters", "MaxResults", "NextToken"}),
}
