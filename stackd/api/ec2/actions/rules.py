"""Rules of security groups: Authorize-, Revoke- and DescribeSecurityGroupRules."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from typing import Any

from attrs import evolve

from stackd import errors
from stackd.api.ec2 import filters, lookups, paging
from stackd.api.ec2.actions.groups import named_group
from stackd.api.ec2.calls import Action, Call, Values
from stackd.api.ec2.views import groups as views
from stackd.model import kinds
from stackd.model.callers import MEMBER, READER
from stackd.model.groups import Direction, RuleRequest, SecurityGroup, SecurityGroupRule
from stackd.model.ids import ec2_id

NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": views.ANY}
WITH_PORTS = frozenset({"tcp", "udp"})
PATHS = {"group-id": "GroupId", "security-group-rule-id": "SecurityGroupRuleId"}


async def authorize(call: Call, direction: Direction) -> Values:
    """Add rules; none is added when one of them is refused."""
    group_id = await named_group(call)
    asked = await _requests(call, direction)
    lookups.specified_tags(call, "security-group-rule")
    added = await call.core.groups.add_rules(call.caller, group_id, asked)
    shown = [views.rule(one, call.caller.account, await lookups.tag_new(call, kinds.SECURITY_GROUP_RULE, one.id))
             for one in added]
    return {"Return": True, "SecurityGroupRules": shown}


async def revoke(call: Call, direction: Direction) -> Values:
    """Remove rules, by their ids or by saying what they allow."""
    group = await call.core.groups.get(call.caller, await named_group(call))
    here = [one for one in group.rules if one.direction is direction]
    wanted = call.items("SecurityGroupRuleIds")
    if wanted:
        by_id = {ec2_id(kinds.SECURITY_GROUP_RULE, one.id): one for one in here}
        lookups.demand_known(kinds.SECURITY_GROUP_RULE, wanted, by_id)
        gone = [by_id[id] for id in dict.fromkeys(wanted)]
    else:
        gone = _matching(here, await _requests(call, direction), group)
    await call.core.groups.remove_rules(call.caller, group.id, [one.id for one in gone])
    return {"Return": True, "RevokedSecurityGroupRules": [views.revoked(one) for one in gone]}


async def describe_security_group_rules(call: Call) -> Values:
    """The rules of the project's groups, one by one."""
    tags, wanted = await lookups.tags(call, kinds.SECURITY_GROUP_RULE), call.items("SecurityGroupRuleIds")
    shown = [views.rule(rule, call.caller.account, tags.get(rule.id, []))
             for group in await call.core.groups.list(call.caller) for rule in group.rules]
    lookups.demand_known(kinds.SECURITY_GROUP_RULE, wanted, (view["SecurityGroupRuleId"] for view in shown))
    kept = [view for view in filters.keep(call.items("Filters"), shown, PATHS)
            if not wanted or view["SecurityGroupRuleId"] in wanted]
    page, token = paging.page(call, kept, lambda view: view["SecurityGroupRuleId"], "SecurityGroupRuleIds")
    return {"SecurityGroupRules": page, "NextToken": token}


def _matching(rules: Sequence[SecurityGroupRule], asked: Iterable[RuleRequest],
              group: SecurityGroup) -> list[SecurityGroupRule]:
    gone: dict[str, SecurityGroupRule] = {}
    for request in asked:
        found = [one for one in rules if _key(one) == _key(request)]
        if not found:
            raise errors.NotFound(kinds.SECURITY_GROUP_RULE, _words(request),
                                  remedy=f"DescribeSecurityGroupRules lists the rules of "
                                         f"{ec2_id(kinds.SECURITY_GROUP, group.id)}.")
        gone.update((one.id, one) for one in found)
    return list(gone.values())


def _key(rule: SecurityGroupRule | RuleRequest) -> tuple[object, ...]:
    """What makes two rules the same; a rule that names a group is one in EC2 for both address families."""
    remote = rule.remote_group_id or rule.remote_cidr or views.EVERYWHERE[rule.ethertype]
    return rule.protocol, rule.port_min, rule.port_max, remote


def _words(request: RuleRequest) -> str:
    source = request.remote_cidr or request.remote_group_id
    return f"{request.protocol or 'any protocol'} {request.port_min}-{request.port_max} {source}"


async def _requests(call: Call, direction: Direction) -> list[RuleRequest]:
    permissions = call.items("IpPermissions")
    flat = {name: call.get(name) for name in ("IpProtocol", "FromPort", "ToPort", "CidrIp", "SourceSecurityGroupName",
                                              "SourceSecurityGroupOwnerId") if call.get(name) is not None}
    if permissions and flat:
        raise errors.ConflictingValues("IpPermissions cannot be used with the flat parameters of one rule.",
                                       remedy="Use IpPermissions alone.")
    asked = []
    for permission in permissions or ([_from_flat(flat)] if flat else []):
        asked += await _permission(call, direction, permission)
    if not asked:
        raise errors.MissingValue("the parameter IpPermissions")
    return asked


def _from_flat(flat: Mapping[str, Any]) -> Mapping[str, Any]:
    """The form of one rule that old clients send, as a permission."""
    permission = {name: flat[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in flat}
    if "CidrIp" in flat:
        permission["IpRanges"] = [{"CidrIp": flat["CidrIp"]}]
    if "SourceSecurityGroupName" in flat:
        permission.setdefault("IpProtocol", views.ANY)
        permission["UserIdGroupPairs"] = [{"GroupName": flat["SourceSecurityGroupName"]}]
    return permission


async def _permission(call: Call, direction: Direction, permission: Mapping[str, Any]) -> list[RuleRequest]:
    if permission.get("PrefixListIds"):
        raise errors.NotSupported("Prefix lists are not supported by this cloud.", remedy="Use address ranges.")
    protocol, low, high = _ports(permission)
    base = RuleRequest(direction=direction, protocol=protocol, port_min=low, port_max=high)
    asked = [evolve(base, remote_cidr=_cidr(entry.get("CidrIp", ""), 4), description=entry.get("Description", ""))
             for entry in permission.get("IpRanges", ())]
    asked += [evolve(base, ethertype="IPv6", remote_cidr=_cidr(entry.get("CidrIpv6", ""), 6),
                     description=entry.get("Description", "")) for entry in permission.get("Ipv6Ranges", ())]
    for pair in permission.get("UserIdGroupPairs", ()):
        asked.append(evolve(base, remote_group_id=await _pair(call, pair), description=pair.get("Description", "")))
    if not asked:
        raise errors.MissingValue("a source: IpRanges, Ipv6Ranges or Groups in every permission")
    return asked


async def _pair(call: Call, pair: Mapping[str, str]) -> str:
    if pair.get("UserId") not in (None, "", call.caller.account):
        raise errors.NotSupported("Groups of other accounts are not supported as sources.", remedy="Use your own.")
    if pair.get("GroupId"):
        return (await lookups.group_ids(call, [pair["GroupId"]]))[0]
    if not pair.get("GroupName"):
        raise errors.MissingValue("the parameter GroupId of the source")
    return (await lookups.groups_named(call, [pair["GroupName"]]))[0].id


def _ports(permission: Mapping[str, Any]) -> tuple[str, int | None, int | None]:
    """Protocol and ports in neutral words: empty and None for any."""
    word = str(permission.get("IpProtocol", "")).lower()
    if not word:
        raise errors.MissingValue("the parameter IpProtocol")
    protocol = NUMBERS.get(word, word)
    if protocol == views.ANY:
        return "", None, None
    low, high = permission.get("FromPort"), permission.get("ToPort")
    if protocol in WITH_PORTS:
        return protocol, *_port_range(low, high)
    if protocol in ("icmp", "icmpv6"):
        return protocol, None if low in (None, -1) else low, None if high in (None, -1) else high
    if not (protocol.isascii() and protocol.isdecimal() and 0 <= int(protocol[:4]) <= 255):
        raise errors.InvalidValue("IpProtocol", f"{word[:32]!r} is not a protocol.")
    return protocol, None, None


def _port_range(low: int | None, high: int | None) -> tuple[int | None, int | None]:
    if low is None or high is None:
        raise errors.MissingValue("the parameters FromPort and ToPort")
    if (low, high) in ((0, views.HIGHEST_PORT), (-1, -1)):
        return None, None
    if not 0 <= low <= high <= views.HIGHEST_PORT:
        raise errors.InvalidValue("FromPort", f"{low} to {high} is not a range of ports.")
    return low, high


def _cidr(text: str, version: int) -> str:
    """A range of addresses; host bits are cut off, as AWS does."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or network.version != version:
        raise errors.InvalidValue("CidrIp" if version == 4 else "CidrIpv6",
                                  f"{text[:64]!r} is not a CIDR block of IPv{version}.")
    return str(network)


_FLAT = ("GroupId", "GroupName", "IpPermissions", "IpProtocol", "FromPort", "ToPort", "CidrIp",
         "SourceSecurityGroupName", "SourceSecurityGroupOwnerId")
_ADD = Action(run=partial(authorize, direction=Direction.INGRESS), role=MEMBER, words="change security groups",
              takes=(*_FLAT, "TagSpecifications"))
_REMOVE = Action(run=partial(revoke, direction=Direction.INGRESS), role=MEMBER, words="change security groups",
                 takes=(*_FLAT, "SecurityGroupRuleIds"))
ACTIONS = {
    "AuthorizeSecurityGroupIngress": _ADD,
    "AuthorizeSecurityGroupEgress": evolve(_ADD, run=partial(authorize, direction=Direction.EGRESS)),
    "RevokeSecurityGroupIngress": _REMOVE,
    "RevokeSecurityGroupEgress": evolve(_REMOVE, run=partial(revoke, direction=Direction.EGRESS)),
    "DescribeSecurityGroupRules": Action(run=describe_security_group_rules, role=READER, words="list security groups",
                                         takes={"SecurityGroupRuleIds", "Filters", "MaxResults", "NextToken"}),
}
