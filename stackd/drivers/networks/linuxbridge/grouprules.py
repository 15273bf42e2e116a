"""Security group rules as nftables text. Pure; ``hostrules`` puts the chains and sets into the host's table."""

from ipaddress import ip_address, ip_interface

from stackd.errors import PermanentFailure
from stackd.model.groups import Direction, SecurityGroupRule
from stackd.model.wirings import GroupWiring

NUMBERS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "ipv6-icmp": 58, "igmp": 2,
    "ipip": 4, "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112,
    "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43,
}
_WITH_PORTS = {6, 17, 33, 132, 136}
_ICMP, _ICMPV6 = 1, 58


def chain_name(direction: Direction, group_id: str) -> str:
    """The chain with the rules of a group for one direction."""
    return f"{'in' if direction is Direction.INGRESS else 'out'}_{group_id}"


def set_name(group_id: str, remote_group_id: str, family: int) -> str:
    """The set with the members of a remote group, as a group knows them; ``family`` is 4 or 6."""
    return f"v{family}_{group_id}_{remote_group_id}"


def render_group(group: GroupWiring) -> list[str]:
    """The sets and the two chains of a group; the comment is what ``observe`` reads."""
    lines = []
    for remote in sorted({rule.remote_group_id for rule in group.rules if rule.remote_group_id}):
        for family in (4, 6):
            lines += _render_set(group, remote, family)
    for direction in Direction:
        lines += [f"chain {chain_name(direction, group.id)} {{", f'comment "group {group.id} {group.generation}"',
                  *(rule_text(rule, group.id) for rule in group.rules if rule.direction is direction), "}"]
    return lines


def rule_text(rule: SecurityGroupRule, group_id: str) -> str:
    """One rule as one line; raises ``PermanentFailure`` for a protocol that is none."""
    family = 6 if rule.ethertype == "IPv6" else 4
    return " ".join(part for part in (_remote(rule, group_id, family), _protocol(rule, family), "accept") if part)


def _remote(rule: SecurityGroupRule, group_id: str, family: int) -> str:
    side = f"{'ip6' if family == 6 else 'ip'} {'saddr' if rule.direction is Direction.INGRESS else 'daddr'}"
    if rule.remote_group_id:
        return f"{side} @{set_name(group_id, rule.remote_group_id, family)}"
    network = ip_interface(rule.remote_cidr).network if rule.remote_cidr else None
    if network is None or network.prefixlen == 0:
        return f"meta nfproto ipv{family}"
    return f"{side} {network}"


def _protocol(rule: SecurityGroupRule, family: int) -> str:
    number = protocol_number(rule.protocol)
    if number is None:
        return ""
    if number in (_ICMP, _ICMPV6):
        return _icmp(rule, family)
    if number not in _WITH_PORTS or (rule.port_min is None and rule.port_max is None):
        return f"meta l4proto {number}"
    lowest = 0 if rule.port_min is None else rule.port_min
    highest = 65535 if rule.port_max is None else rule.port_max
    return f"meta l4proto {number} th dport {lowest}-{highest}"


def _icmp(rule: SecurityGroupRule, family: int) -> str:
    word = "icmpv6" if family == 6 else "icmp"
    parts = [f"meta l4proto {_ICMPV6 if family == 6 else _ICMP}"]
    if rule.port_min is not None:
        parts.append(f"{word} type {min(rule.port_min, 255)}")
        if rule.port_max is not None:
            parts.append(f"{word} code {min(rule.port_max, 255)}")
    return " ".join(parts)


def protocol_number(protocol: str) -> int | None:
    """The number of a protocol by name or by number as text; None for any."""
    if protocol in ("", "any"):
        return None
    number = NUMBERS.get(protocol.lower())
    if number is None and protocol.isascii() and protocol.isdigit() and int(protocol) <= 255:
        number = int(protocol)
    if number is None:
        raise PermanentFailure(f"{protocol!r} is no protocol a rule can have.")
    return number


def _render_set(group: GroupWiring, remote: str, family: int) -> list[str]:
    members = sorted({address for address in group.members.get(remote, ()) if ip_address(address).version == family})
    lines = [f"set {set_name(group.id, remote, family)} {{", f"type {'ipv6_addr' if family == 6 else 'ipv4_addr'}"]
    if members:
        lines.append(f"elements = {{ {', '.join(members)} }}")
    return [*lines, "}"]
