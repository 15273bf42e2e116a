"""Security groups: Create-, Delete- and DescribeSecurityGroups."""

from stackd import errors
from stackd.api.ec2 import filters, lookups, paging
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import groups as views
from stackd.model import kinds
from stackd.model.callers import MEMBER, READER
from stackd.model.ids import ec2_id

_PERMISSION = {
    "cidr": "IpRanges.CidrIp", "ipv6-cidr": "Ipv6Ranges.CidrIpv6", "from-port": "FromPort", "to-port": "ToPort",
    "protocol": "IpProtocol", "group-id": "UserIdGroupPairs.GroupId", "user-id": "UserIdGroupPairs.UserId",
    "group-name": "UserIdGroupPairs.GroupName",
}
PATHS = {
    "group-id": "GroupId", "group-name": "GroupName", "description": "Description", "owner-id": "OwnerId",
    "vpc-id": "VpcId",
    **{f"ip-permission.{name}": f"IpPermissions.{path}" for name, path in _PERMISSION.items()},
    **{f"egress.ip-permission.{name}": f"IpPermissionsEgress.{path}" for name, path in _PERMISSION.items()},
}


async def create_security_group(call: Call) -> Values:
    """A group that lets everything out and nothing in."""
    lookups.specified_tags(call, "security-group")
    if call.get("VpcId"):
        await call.core.shortids.one(call.caller, kinds.NETWORK, call.get("VpcId"))
    made = await call.core.groups.create(call.caller, call.demand("GroupName"), call.demand("Description"),
                                          unique_name=True)
    id = ec2_id(kinds.SECURITY_GROUP, made.id)
    return {"GroupId": id, "Tags": await lookups.tag_new(call, kinds.SECURITY_GROUP, made.id),
            "SecurityGroupArn": views.arn(id, call.caller.account, call.region)}


async def delete_security_group(call: Call) -> Values:
    """Remove a group nobody uses."""
    id = await named_group(call)
    await call.core.groups.delete(call.caller, id)
    await call.core.tags.remove(call.caller, [id], None)
    return {"Return": True, "GroupId": ec2_id(kinds.SECURITY_GROUP, id)}


async def named_group(call: Call) -> str:
    """The one group GroupId or GroupName means."""
    if call.get("GroupId"):
        return (await lookups.group_ids(call, [call.get("GroupId")]))[0]
    if not call.get("GroupName"):
        raise errors.MissingValue("the parameter GroupId or GroupName")
    return (await lookups.groups_named(call, [call.get("GroupName")]))[0].id


async def describe_security_groups(call: Call) -> Values:
    """The project's groups with their rules."""
    wanted, names = call.items("GroupIds"), call.items("GroupNames")
    named = {one.id for one in await lookups.groups_named(call, names)}
    groups, tags = await call.core.groups.list(call.caller), await lookups.tags(call, kinds.SECURITY_GROUP)
    default = await lookups.default_vpc(call)
    vpc = ec2_id(kinds.NETWORK, default) if default else ""
    lookups.demand_known(kinds.SECURITY_GROUP, wanted, (ec2_id(kinds.SECURITY_GROUP, one.id) for one in groups))
    shown = [views.group(one, call.caller.account, vpc, call.region, tags.get(one.id, [])) for one in groups
             if not (wanted or names) or one.id in named or ec2_id(kinds.SECURITY_GROUP, one.id) in wanted]
    kept, token = paging.page(call, filters.keep(call.items("Filters"), shown, PATHS), lambda view: view["GroupId"],
                              "GroupIds", "GroupNames")
    return {"SecurityGroups": kept, "NextToken": token}


ACTIONS = {
    "CreateSecurityGroup": Action(run=create_security_group, role=MEMBER, words="create security groups",
                                  takes={"GroupName", "Description", "VpcId", "TagSpecifications"}),
    "DeleteSecurityGroup": Action(run=delete_security_group, role=MEMBER, words="delete security groups",
                                  takes={"GroupId", "GroupName"}),
    "DescribeSecurityGroups": Action(run=describe_security_groups, role=READER, words="list security groups",
                                     takes={"GroupIds", "GroupNames", "Filters", "MaxResults", "NextToken"}),
}
