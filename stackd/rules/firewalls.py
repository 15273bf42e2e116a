"""Security group rules: what may be asked, in which form it is kept, and when two rules are the same. Pure.

``core.groups`` calls it for both APIs; ``store.wirings`` translates protocols for drivers with it.
"""

from collections.abc import Callable, Iterable

from attrs import evolve

from stackd import errors
from stackd.model.groups import Direction, RuleRequest, SecurityGroupRule
from stackd.rules import addressing

IPV4, IPV6 = "IPv4", "IPv6"
EVERYWHERE = {IPV4: "0.0.0.0/0", IPV6: "::/0"}
MOST = {"port": 65535, "icmp": 255, "protocol": 255}

_NUMBERS = {"ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4,
            "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43,
            "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112}
_WORDS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
_WITH_PORTS = frozenset({6, 17, 33, 132, 136})
_ONLY_V6 = frozenset({41, 43, 44, 58, 59, 60})
_ICMP = {IPV4: 1, IPV6: 58}


def normalised(request: RuleRequest) -> RuleRequest:
    """The request in the form it is kept in; raises ``InvalidValue`` and ``ConflictingValues``."""
    if request.ethertype not in EVERYWHERE:
        raise errors.InvalidValue("ethertype", f"'{request.ethertype}' is neither IPv4 nor IPv6.")
    if request.remote_cidr and request.remote_group_id:
        raise errors.ConflictingValues("A rule has a remote prefix or a remote group, not both.",
                                       remedy="Make two rules.")
    found = evolve(request, protocol=_protocol(request.protocol), remote_cidr=_cidr(request))
    _check_range(found)
    return found


def protocol_word(protocol: str, ethertype: str) -> str:
    """The one word for a protocol: empty, ``tcp``, ``udp``, ``icmp``, ``icmpv6``, or its number as text."""
    if not protocol:
        return ""
    number = protocol_number(protocol, ethertype)
    return _WORDS.get(number, str(number))


def protocol_number(protocol: str, ethertype: str) -> int:
    """The protocol's number; ``icmp`` in an IPv6 rule means ICMPv6, as OpenStack has it."""
    number = _NUMBERS[protocol] if protocol in _NUMBERS else int(protocol)
    return _ICMP[IPV6] if number == 1 and ethertype == IPV6 else number


def same(rule: SecurityGroupRule | RuleRequest) -> tuple[object, ...]:
    """A key: two rules of one group with equal keys permit the same packets and are duplicates."""
    remote = rule.remote_group_id or rule.remote_cidr or EVERYWHERE[rule.ethertype]
    return (rule.direction, rule.ethertype, protocol_word(rule.protocol, rule.ethertype), rule.port_min,
            rule.port_max, remote)


def duplicate(rules: Iterable[SecurityGroupRule], requests: Iterable[RuleRequest]) -> RuleRequest | None:
    """The first request that repeats a rule or an earlier request."""
    seen = {same(rule) for rule in rules}
    for request in requests:
        key = same(request)
        if key in seen:
            return request
        seen.add(key)
    return None


def described(rule: SecurityGroupRule | RuleRequest) -> str:
    """A rule in words, for messages."""
    if rule.port_min is None:
        ports = ""
    elif rule.port_max in (None, rule.port_min):
        ports = f" {rule.port_min}"
    else:
        ports = f" {rule.port_min}-{rule.port_max}"
    remote = rule.remote_group_id or rule.remote_cidr or EVERYWHERE[rule.ethertype]
    side = "from" if rule.direction is Direction.INGRESS else "to"
    return f"{rule.direction.value} {rule.protocol or 'any'}{ports} {side} {remote}"


def default_rules(group_id: str, project_id: str, new_id: Callable[[], str], now: float,
                  from_itself: bool) -> tuple[SecurityGroupRule, ...]:
    """What a new group permits: all egress; with ``from_itself`` also ingress from its own members."""
    def rule(direction: Direction, ethertype: str, remote: str) -> SecurityGroupRule:
        return SecurityGroupRule(id=new_id(), group_id=group_id, project_id=project_id, direction=direction,
                                 ethertype=ethertype, remote_group_id=remote, created_at=now)

    rules = [rule(Direction.EGRESS, ethertype, "") for ethertype in EVERYWHERE]
    if from_itself:
        rules += [rule(Direction.INGRESS, ethertype, group_id) for ethertype in EVERYWHERE]
    return tuple(rules)


def _protocol(text: str) -> str:
    word = text.strip().lower()
    if word in ("", "any", "-1"):
        return ""
    if word in _NUMBERS:
        return word
    if word.isascii() and word.isdigit() and int(word) <= MOST["protocol"]:
        # Number 0 stands for any in OpenStack.
        return "" if int(word) == 0 else str(int(word))
    raise errors.InvalidValue("protocol", f"'{text}' is no known protocol, nor a number from 0 to 255.")


def _cidr(request: RuleRequest) -> str:
    if not request.remote_cidr:
        return ""
    found = addressing.prefix(request.remote_cidr, "remote_ip_prefix")
    if f"IPv{found.version}" != request.ethertype:
        raise errors.InvalidValue("remote_ip_prefix", f"'{request.remote_cidr}' is not of {request.ethertype}.")
    return str(found)


def _check_range(rule: RuleRequest) -> None:
    low, high = rule.port_min, rule.port_max
    number = protocol_number(rule.protocol, rule.ethertype) if rule.protocol else None
    if number in _ONLY_V6 and rule.ethertype == IPV4:
        raise errors.InvalidValue("protocol", f"'{rule.protocol}' exists in IPv6 only.")
    if low is None and high is None:
        return
    if number in _ICMP.values():
        _check_icmp(low, high)
    elif number in _WITH_PORTS:
        _check_ports(low, high)
    else:
        raise errors.InvalidValue("port_range_min", f"protocol {rule.protocol or 'any'} has no ports.")


def _check_icmp(type: int | None, code: int | None) -> None:
    if type is None:
        raise errors.InvalidValue("port_range_max", "an ICMP code needs a type in port_range_min.")
    for field, value in (("port_range_min", type), ("port_range_max", code)):
        if value is not None and not 0 <= value <= MOST["icmp"]:
            raise errors.InvalidValue(field, f"{value} is not between 0 and 255, as ICMP types and codes are.")


def _check_ports(low: int | None, high: int | None) -> None:
    if low is None or high is None:
        raise errors.InvalidValue("port_range_min", "both ends of a port range must be given.")
    if not (0 <= low <= MOST["port"] and 0 <= high <= MOST["port"]):
        raise errors.InvalidValue("port_range_min", f"{low}-{high} is not within 0 to 65535.")
    if low > high:
        raise errors.InvalidValue("port_range_min", f"{low} is larger than port_range_max {high}.")
