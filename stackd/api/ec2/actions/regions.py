"""Where and whose: DescribeRegions, DescribeAvailabilityZones, DescribeAccountAttributes."""

from stackd import errors
from stackd.api.ec2 import filters, lookups
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import catalogue as views
from stackd.model import kinds
from stackd.model.callers import READER
from stackd.model.ids import ec2_id

REGION_PATHS = {"endpoint": "Endpoint", "region-name": "RegionName", "opt-in-status": "OptInStatus"}
ZONE_PATHS = {
    "group-name": "GroupName", "message": "Messages.Message", "opt-in-status": "OptInStatus",
    "region-name": "RegionName", "state": "State", "zone-id": "ZoneId", "zone-name": "ZoneName",
    "zone-type": "ZoneType", "network-border-group": "NetworkBorderGroup",
}


async def describe_regions(call: Call) -> Values:
    """The one region of the cloud, at the address the client used."""
    for name in call.items("RegionNames"):
        if name != call.region:
            raise errors.InvalidValue("RegionName", f"{name!r} does not exist.",
                                      remedy=f"This cloud is the region {call.region}.")
    shown = [{"RegionName": call.region, "Endpoint": call.endpoint, "OptInStatus": "opt-in-not-required"}]
    return {"Regions": filters.keep(call.items("Filters"), shown, REGION_PATHS)}


async def describe_availability_zones(call: Call) -> Values:
    """The zones, and whether they take instances."""
    zones = await call.core.zones.list(call.caller)
    shown = [views.zone(one, index, call.region) for index, one in enumerate(zones, 1)]
    for parameter, member in (("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")):
        wanted = call.items(parameter)
        missing = [name for name in wanted if name not in {view[member] for view in shown}]
        if missing:
            raise errors.InvalidValue(member, f"{', '.join(missing)} does not exist.",
                                      remedy="DescribeAvailabilityZones lists those that do.")
        shown = [view for view in shown if not wanted or view[member] in wanted]
    return {"AvailabilityZones": filters.keep(call.items("Filters"), shown, ZONE_PATHS)}


async def describe_account_attributes(call: Call) -> Values:
    """What clients ask to learn that there is a default VPC."""
    default = await lookups.default_vpc(call)
    attributes = {"supported-platforms": "VPC", "default-vpc": ec2_id(kinds.NETWORK, default) if default else "none"}
    wanted = call.items("AttributeNames")
    return {"AccountAttributes": [
        {"AttributeName": name, "AttributeValues": [{"AttributeValue": value}]}
        for name, value in attributes.items() if not wanted or name in wanted]}


ACTIONS = {
    "DescribeRegions": Action(run=describe_regions, role=READER, words="list regions",
                              takes={"RegionNames", "Filters"}, harmless={"AllRegions"}),
    "DescribeAvailabilityZones": Action(run=describe_availability_zones, role=READER, words="list zones",
                                        takes={"ZoneNames", "ZoneIds", "Filters"}, harmless={"AllAvailabilityZones"}),
    "DescribeAccountAttributes": Action(run=describe_account_attributes, role=READER, words="show the account",
                                        takes={"AttributeNames"}),
}
