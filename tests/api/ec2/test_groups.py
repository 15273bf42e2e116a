"""Security groups and their rules through boto3."""

import pytest

from tests.api.ec2.bench import refused

SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}]}


@pytest.fixture
def group(ec2):
    """The id of a new group."""
    return ec2.create_security_group(GroupName="web", Description="Web servers")["GroupId"]


def shown(ec2, group):
    """A group as described."""
    return ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]


def test_a_new_group_lets_everything_out_and_nothing_in(bench, ec2, group):
    """And shows its VPC and owner."""
    one = shown(ec2, group)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    assert (one["GroupName"], one["Description"], one["VpcId"]) == ("web", "Web servers", vpc)
    assert one["OwnerId"] == bench.cloud.caller.account and one["IpPermissions"] == []
    [egress] = one["IpPermissionsEgress"]
    assert egress["IpProtocol"] == "-1" and egress["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}] and "FromPort" not in egress


def test_the_default_group_admits_its_own_members(ec2):
    """One pair, though there is a rule for each address family; it cannot be deleted."""
    [one] = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    [ingress] = one["IpPermissions"]
    assert ingress["UserIdGroupPairs"] == [{"GroupId": one["GroupId"], "UserId": one["OwnerId"]}]
    assert refused(ec2.delete_security_group, GroupId=one["GroupId"]) == "CannotDelete"


def test_rules_are_added_gathered_and_removed(ec2, group):
    """By permission, with several sources."""
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {**SSH, "Ipv6Ranges": [{"CidrIpv6": "::/0"}], "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.1/8"}]},
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
    assert made["Return"] is True and len(made["SecurityGroupRules"]) == 5
    by_protocol = {one["IpProtocol"]: one for one in shown(ec2, group)["IpPermissions"]}
    ssh = by_protocol["tcp"]
    assert (ssh["FromPort"], ssh["ToPort"], ssh["IpRanges"]) == (22, 22, SSH["IpRanges"])
    assert ssh["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}] and len(ssh["UserIdGroupPairs"]) == 1
    assert by_protocol["icmp"]["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]
    assert (by_protocol["icmp"]["FromPort"], by_protocol["icmp"]["ToPort"]) == (-1, -1)
    gone = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    assert [one["CidrIpv4"] for one in gone["RevokedSecurityGroupRules"]] == ["0.0.0.0/0"]
    assert refused(ec2.revoke_security_group_ingress, GroupId=group,
                   IpPermissions=[SSH]) == "InvalidPermission.NotFound"
    rest = shown(ec2, group)["IpPermissions"]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rest)
    assert shown(ec2, group)["IpPermissions"] == []


def test_the_flat_form_of_old_clients(ec2, group):
    """libcloud still sends it; a group can be named."""
    ec2.authorize_security_group_ingress(GroupName="web", IpProtocol="tcp", FromPort=80, ToPort=80,
                                         CidrIp="192.0.2.0/24")
    ec2.authorize_security_group_ingress(GroupName="web", SourceSecurityGroupName="default")
    assert [one["IpProtocol"] for one in shown(ec2, group)["IpPermissions"]] in (["tcp", "-1"], ["-1", "tcp"])
    ec2.revoke_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="192.0.2.0/24")
    assert [one["IpProtocol"] for one in shown(ec2, group)["IpPermissions"]] == ["-1"]


def test_all_ports_are_shown_as_they_were_asked(ec2, group):
    """0 to 65535 means any port inside."""
    everything = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everything])
    [one] = shown(ec2, group)["IpPermissions"]
    assert (one["FromPort"], one["ToPort"]) == (0, 65535)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[everything])


def test_egress_and_rules_by_id(ec2, group):
    """Each rule has an id, can be tagged and be revoked by it."""
    made = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[SSH], TagSpecifications=[
        {"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "b"}]}])["SecurityGroupRules"][0]
    assert made["IsEgress"] is True and made["Tags"] == [{"Key": "a", "Value": "b"}]
    id = made["SecurityGroupRuleId"]
    [found] = ec2.describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"]
    assert found == made
    by_group = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    assert len(by_group["SecurityGroupRules"]) == 3
    ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[id])
    assert refused(ec2.revoke_security_group_egress, GroupId=group,
                   SecurityGroupRuleIds=[id]) == "InvalidSecurityGroupRuleId.NotFound"


@pytest.mark.parametrize("permission, code", [
    ({"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "MissingParameter"),
    ({"FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "MissingParameter"),
    ({**SSH, "IpRanges": []}, "MissingParameter"),
    ({**SSH, "IpRanges": [{"CidrIp": "everywhere"}]}, "InvalidParameterValue"),
    ({**SSH, "IpRanges": [{"CidrIp": "::/0"}]}, "InvalidParameterValue"),
    ({**SSH, "FromPort": 23}, "InvalidParameterValue"),
    ({**SSH, "ToPort": 70000}, "InvalidParameterValue"),
    ({**SSH, "IpProtocol": "carrier-pigeon"}, "InvalidParameterValue"),
    ({**SSH, "IpRanges": [], "UserIdGroupPairs": [{"GroupId": "sg-12345678"}]}, "InvalidGroup.NotFound"),
    ({**SSH, "IpRanges": [], "UserIdGroupPairs": [{"GroupName": "nobody"}]}, "InvalidGroup.NotFound"),
    ({**SSH, "IpRanges": [], "UserIdGroupPairs": [{"GroupId": "sg-12345678", "UserId": "1"}]}, "UnsupportedOperation"),
    ({**SSH, "PrefixListIds": [{"PrefixListId": "pl-1"}]}, "UnsupportedOperation"),
])
def test_rules_that_cannot_be(ec2, group, permission, code):
    """Refused as a whole."""
    fine = {**SSH, "FromPort": 1, "ToPort": 1}
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[fine, permission]) == code
    assert shown(ec2, group)["IpPermissions"] == []


def test_duplicates(ec2, group):
    """Of groups and of rules."""
    assert refused(ec2.create_security_group, GroupName="web", Description="again") == "InvalidGroup.Duplicate"
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    assert refused(ec2.authorize_security_group_ingress, GroupId=group,
                   IpPermissions=[SSH]) == "InvalidPermission.Duplicate"


def test_a_group_in_use_stays(bench, ec2, group):
    """Until its instance is gone."""
    ids = bench.running(SecurityGroupIds=[group])
    assert refused(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    ec2.terminate_instances(InstanceIds=ids)
    bench.settle(ids, "terminated")
    bench.cloud.advance(30)
    ec2.delete_security_group(GroupName="web")
    assert refused(ec2.describe_security_groups, GroupIds=[group]) == "InvalidGroup.NotFound"
    assert refused(ec2.delete_security_group, GroupId=group) == "InvalidGroup.NotFound"
    assert refused(ec2.delete_security_group) == "MissingParameter"


def test_filters_and_pages(ec2, group):
    """By what rules hold; each group once."""
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])
    for name, value in (("ip-permission.from-port", "22"), ("ip-permission.cidr", "0.0.0.0/0"), ("group-name", "w*")):
        [one] = ec2.describe_security_groups(Filters=[{"Name": name, "Values": [value]}])["SecurityGroups"]
        assert one["GroupId"] == group
    for number in range(6):
        ec2.create_security_group(GroupName=f"g{number}", Description="x")
    paged = [one["GroupName"] for page in ec2.get_paginator("describe_security_groups").paginate(
        PaginationConfig={"PageSize": 5}) for one in page["SecurityGroups"]]
    assert sorted(paged) == ["default", *(f"g{number}" for number in range(6)), "web"]
