"""Security groups as EC2 shows them: rules one by one, and gathered into permissions."""

from collections.abc import Iterable
from typing import Any

from stackd.model import kinds
from stackd.model.groups import Direction, SecurityGroup, SecurityGroupRule
from stackd.model.ids import ec2_id

ANY = "-1"
EVERYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
HIGHEST_PORT = 65535
Shown = dict[str, Any]


def protocol(rule: SecurityGroupRule) -> str:
    """The protocol in EC2's words."""
    return rule.protocol or ANY


def ports(rule: SecurityGroupRule) -> tuple[int, int] | None:
    """FromPort and ToPort; None for any protocol, which has none."""
    if not rule.protocol:
        return None
    any_low, any_high = (-1, -1) if rule.protocol.startswith("icmp") else (0, HIGHEST_PORT)
    return (any_low if rule.port_min is None else rule.port_min, any_high if rule.port_max is None else rule.port_max)


def cidr(rule: SecurityGroupRule) -> str:
    """The addresses a rule speaks of; empty when it speaks of a group."""
    return "" if rule.remote_group_id else rule.remote_cidr or EVERYWHERE[rule.ethertype]


def group(one: SecurityGroup, owner: str, vpc_id: str, region: str, tags: list[dict[str, str]]) -> Shown:
    """The SecurityGroup of DescribeSecurityGroups."""
    id = ec2_id(kinds.SECURITY_GROUP, one.id)
    return {
        "GroupId": id, "GroupName": one.name, "Description": one.description, "OwnerId": owner,
        "VpcId": vpc_id or None, "Tags": tags, "SecurityGroupArn": arn(id, owner, region),
        "IpPermissions": permissions((r for r in one.rules if r.direction is Direction.INGRESS), owner),
        "IpPermissionsEgress": permissions((r for r in one.rules if r.direction is Direction.EGRESS), owner),
    }


def arn(group_id: str, owner: str, region: str) -> str:
    """The resource name of a group."""
    return f"arn:aws:ec2:{region}:{owner}:security-group/{group_id}"


def permissions(rules: Iterable[SecurityGroupRule], owner: str) -> list[Shown]:
    """Rules gathered by protocol and ports."""
    gathered: dict[tuple[str, tuple[int, int] | None], Shown] = {}
    for rule in rules:
        key = protocol(rule), ports(rule)
        if key not in gathered:
            gathered[key] = {"IpProtocol": key[0], "UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [],
                             "PrefixListIds": []}
            if key[1] is not None:
                gathered[key]["FromPort"], gathered[key]["ToPort"] = key[1]
        _add_source(gathered[key], rule, owner)
    return list(gathered.values())


def _add_source(permission: Shown, rule: SecurityGroupRule, owner: str) -> None:
    words = {"Description": rule.description} if rule.description else {}
    if rule.remote_group_id:
        pair = {"GroupId": ec2_id(kinds.SECURITY_GROUP, rule.remote_group_id), "UserId": owner, **words}
        if pair not in permission["UserIdGroupPairs"]:  # one rule per address family is one pair here
            permission["UserIdGroupPairs"].append(pair)
    elif rule.ethertype == "IPv6":
        permission["Ipv6Ranges"].append({"CidrIpv6": cidr(rule), **words})
    else:
        permission["IpRanges"].append({"CidrIp": cidr(rule), **words})


def rule(one: SecurityGroupRule, owner: str, tags: list[dict[str, str]]) -> Shown:
    """The SecurityGroupRule of DescribeSecurityGroupRules."""
    view = {"GroupOwnerId": owner, **_rule(one), "Tags": tags}
    if one.remote_group_id:
        view["ReferencedGroupInfo"] = {"GroupId": ec2_id(kinds.SECURITY_GROUP, one.remote_group_id), "UserId": owner}
    return view


def revoked(one: SecurityGroupRule) -> Shown:
    """The RevokedSecurityGroupRule that revoking answers with."""
    view = _rule(one)
    if one.remote_group_id:
        view["ReferencedGroupId"] = ec2_id(kinds.SECURITY_GROUP, one.remote_group_id)
    return view


def _rule(one: SecurityGroupRule) -> Shown:
    low, high = ports(one) or (-1, -1)
    view: Shown = {
        "SecurityGroupRuleId": ec2_id(kinds.SECURITY_GROUP_RULE, one.id),
        "GroupId": ec2_id(kinds.SECURITY_GROUP, one.group_id), "IsEgress": one.direction is Direction.EGRESS,
        "IpProtocol": protocol(one), "FromPort": low, "ToPort": high, "Description": one.description or None}
    if not one.remote_group_id:
        view["CidrIpv6" if one.ethertype == "IPv6" else "CidrIpv4"] = cidr(one)
    return view
