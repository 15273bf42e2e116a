"""The ruleset of one network's router namespace as nftables text: SNAT, floating addresses, who may come in. Pure."""

from collections.abc import Sequence
from ipaddress import ip_network

from attrs import frozen

from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.hostrules import replacing
from stackd.model.wirings import FloatingWiring, NetworkWiring


@frozen(kw_only=True)
class RouterPlan:
    """What is to be rendered; ``snat`` is the router's own address outside, empty when there is no outside."""

    network: NetworkWiring
    floating_ips: Sequence[FloatingWiring] = ()
    snat: str = ""


def render_router(plan: RouterPlan) -> str:
    """The router's one table, replacing what was there; the comments are what ``observe`` reads."""
    network = plan.network
    lines = [*replacing("inet"), f"table inet {names.TABLE} {{",
             f'comment "network {network.id} {network.generation}"', *_floats(plan), *_filter()]
    if plan.snat:
        lines += ["chain arriving {", "type nat hook prerouting priority dstnat; policy accept;",
                  *(_dnat(floating) for floating in plan.floating_ips), "}",
                  "chain leaving {", "type nat hook postrouting priority srcnat; policy accept;",
                  *_snat(plan), "}"]
    return "\n".join([*lines, "}"]) + "\n"


def _floats(plan: RouterPlan) -> list[str]:
    lines = ["set floating {", "type ipv4_addr"]
    if plan.floating_ips:
        lines.append(f"elements = {{ {', '.join(floating.address for floating in plan.floating_ips)} }}")
    return [*lines, "}"]


def _filter() -> list[str]:
    return ["chain forwarding {", "type filter hook forward priority filter; policy drop;",
            "ip daddr 169.254.0.0/16 drop",
            # An address that was taken away no longer leads in, not even for connections that stand.
            f'iifname "{names.PUBLIC}" ct status dnat ct original ip daddr != @floating drop',
            "ct state established,related accept",
            f'iifname "{names.INSIDE}" accept',
            f'iifname "{names.PUBLIC}" ct status dnat accept', "}",
            "chain own {", "type filter hook input priority filter; policy drop;",
            "ct state established,related accept", 'iifname "lo" accept',
            "meta l4proto { icmp, ipv6-icmp } accept",
            f'iifname "{names.INSIDE}" udp dport {{ 67, 547 }} accept',
            f'iifname "{names.INSIDE}" ip daddr {names.METADATA} tcp dport {names.METADATA_PORT} accept', "}"]


def _dnat(floating: FloatingWiring) -> str:
    return (f'ip daddr {floating.address} dnat ip to {floating.fixed_ip} '
            f'comment "floating {floating.id} {floating.generation}"')


def _snat(plan: RouterPlan) -> list[str]:
    """Floating addresses first; guests that call one on their own network come from outside too, so answers return."""
    prefixes = [subnet.cidr for subnet in plan.network.subnets if ip_network(subnet.cidr).version == 4]
    ways = [f'oifname "{names.PUBLIC}"', f'oifname "{names.INSIDE}" ct status dnat']
    return [f"{way} ip saddr {floating.fixed_ip} snat ip to {floating.address}"
            for floating in plan.floating_ips for way in ways] + \
           [f"{way} ip saddr {prefix} snat ip to {plan.snat}" for prefix in prefixes for way in ways]
