"""The ruleset of the host's namespace as nftables text: anti-spoofing and security groups of all its ports. Pure.

A frame meets, in this order::

    bridge incoming   by the bridge port it came in: is it who it says (MAC, ARP, IP)? mark := sender; what came
                      from another host was looked at there
    inet zone         by the bridge: a connection tracking zone of its own, so equal prefixes stay apart
    inet leaving      by the mark: established, or one of the sender's groups lets it leave
    bridge outgoing   mark := receiver, by the bridge port it goes out
    inet arriving     by the mark: established, or one of the receiver's groups lets it in

The inet chains see bridged packets by br_netfilter. Family ``bridge`` has no connection tracking on every kernel,
and ``inet`` cannot see bridge ports; the packet mark joins them. IP from bridge ports that are not wired has no mark
and is dropped. The whole text is one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address

from attrs import field, frozen

from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.cablerules import render_cable, render_metadata
from stackd.drivers.networks.linuxbridge.grouprules import chain_name, render_group
from stackd.drivers.networks.linuxbridge.tunnelrules import render_tunnel, render_underlay, tunnelled
from stackd.model.groups import Direction
from stackd.model.wirings import GroupWiring, NetworkWiring, PortWiring

_ALWAYS_IN = ["udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept",
              "icmpv6 type { 130, 134, 135, 136 } accept"]
_ALWAYS_OUT = ["udp sport 68 udp dport 67 accept", "udp sport 546 udp dport 547 accept",
               "icmpv6 type { 131, 132, 133, 135, 136, 143 } accept",
               f"ip daddr {names.METADATA} tcp dport {names.METADATA_PORT} accept"]
_TRACKED = ["ct state established,related accept", "ct state invalid drop"]


@frozen(kw_only=True)
class HostPlan:
    """What is to be rendered; the numbers are the ports' and networks' own, kept as long as they are."""

    networks: Sequence[tuple[int, NetworkWiring]]
    ports: Sequence[tuple[int, PortWiring]]
    groups: Mapping[str, GroupWiring]
    tunnel_address: str = ""
    cables: Mapping[str, str] = field(factory=dict)
    """Network id -> the port of its bridge that leads to a physical network."""


def render_host(plan: HostPlan) -> str:
    """Both tables, replacing what was there."""
    lines = [line for family in ("bridge", "inet") for line in replacing(family)]
    lines += [f"table bridge {names.TABLE} {{", *_bridge(plan), "}"]
    lines += [f"table inet {names.TABLE} {{", *_inet(plan), "}"]
    return "\n".join(lines) + "\n"


def replacing(family: str) -> list[str]:
    """The lines that remove the driver's table of a family, whether it is there or not."""
    return [f"table {family} {names.TABLE}", f"delete table {family} {names.TABLE}"]


def link_local(mac: str) -> str:
    """The IPv6 link-local address an interface makes of its MAC address (EUI-64)."""
    parts = [int(part, 16) for part in mac.split(":")]
    suffix = [parts[0] ^ 2, *parts[1:3], 0xFF, 0xFE, *parts[3:]]
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes(suffix)))


def _bridge(plan: HostPlan) -> list[str]:
    routers = [names.inside_link(network.id) for _, network in plan.networks]
    tunnels = {number: names.tunnel_link(network.id)
               for number, network in tunnelled(plan.networks, plan.tunnel_address)}
    cables = {number: plan.cables[network.id] for number, network in plan.networks if network.id in plan.cables}
    known = [*routers, *tunnels.values(), *cables.values(), *(port.tap for _, port in plan.ports)]
    if not known:
        return []
    senders = [f'"{port.tap}" : jump guard_{number}' for number, port in plan.ports]
    marks = [f'"{port.tap}" : {_mark(number, port):#x}' for number, port in plan.ports]
    senders += [f'"{router}" : jump unguarded' for router in routers]
    senders += [f'"{tunnel}" : jump from_tunnel_{number}' for number, tunnel in tunnels.items()]
    senders += [f'"{cable}" : jump from_cable_{number}' for number, cable in cables.items()]
    marks += [f'"{link}" : {names.OPEN_MARK:#x}' for link in (*routers, *tunnels.values(), *cables.values())]
    lines = ["set known {", "type ifname", f"elements = {_quoted(known)}", "}",
             "chain unguarded {", f"meta mark set {names.OPEN_MARK:#x}", "}"]
    closed = _closed(plan)
    for number, port in plan.ports:
        lines += _guard(number, port, port.tap in closed)
    for number, network in tunnelled(plan.networks, plan.tunnel_address):
        lines += render_tunnel(number, network, plan.tunnel_address)
    for number, network in plan.networks:
        if number in cables:
            lines += render_cable(number, network, plan.tunnel_address)
    lines += render_metadata(plan.networks, [port for _, port in plan.ports], plan.tunnel_address)
    leaving = ", ".join([*(f'"{tunnel}" : jump to_tunnel_{number}' for number, tunnel in tunnels.items()),
                         *(f'"{cable}" : jump to_cable_{number}' for number, cable in cables.items())])
    return [*lines,
            "chain incoming {", "type filter hook prerouting priority -300; policy accept;",
            f"iifname vmap {{ {', '.join(senders)} }}", "}",
            "chain outgoing {", "type filter hook forward priority -300; policy accept;",
            *([f"oifname {_quoted(sorted(closed))} drop"] if closed else []),
            "iifname @known meta mark set 0", *([f"oifname vmap {{ {leaving} }}"] if leaving else []),
            f"meta mark set oifname map {{ {', '.join(marks)} }}", "}",
            # The bridges carry no address, but a host answers ARP for any of its own ones on every link.
            "chain local {", "type filter hook input priority -300; policy accept;", "iifname @known drop", "}"]


def _closed(plan: HostPlan) -> frozenset[str]:
    """The taps that nothing passes: somebody switched the port, or its network, off."""
    off = {network.id for _, network in plan.networks if not network.admin_state_up}
    return frozenset(port.tap for _, port in plan.ports if not port.admin_state_up or port.network_id in off)


def _guard(number: int, port: PortWiring, closed: bool) -> list[str]:
    """The chain of one port's sender checks; its comment is what ``observe`` reads."""
    head = [f"chain guard_{number} {{", f'comment "port {port.id} {port.generation}"']
    if closed:
        return [*head, "drop", "}"]
    if not port.port_security:
        return [*head, f"meta mark set {names.OPEN_MARK:#x}", "}"]
    return [*head, f"ether saddr != {port.mac} drop", f"meta mark set {names.port_mark(number):#x}",
            *_guard_arp(port), *_guard_ipv4(port), *_guard_ipv6(port), "drop", "}"]


def _guard_arp(port: PortWiring) -> list[str]:
    # 0.0.0.0 is the sender of an address probe (RFC 5227).
    allowed = ", ".join(["0.0.0.0", *_of_family(port, 4)])  # noqa: S104 - the text of a rule, nothing is bound
    return [f"ether type arp arp saddr ether {port.mac} arp saddr ip {{ {allowed} }} accept"]


def _guard_ipv4(port: PortWiring) -> list[str]:
    lines = ["ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept",
             "ether type ip udp sport 67 drop"]
    addresses = _of_family(port, 4)
    return [*lines, f"ether type ip ip saddr {{ {', '.join(addresses)} }} accept"] if addresses else lines


def _guard_ipv6(port: PortWiring) -> list[str]:
    own = [link_local(port.mac), *_of_family(port, 6)]
    advertised = [f"ether type ip6 icmpv6 type nd-neighbor-advert @th,64,128 {int(ip_address(address)):#x} "
                  f"ip6 saddr {{ {', '.join(own)} }} accept" for address in own]
    return ["ether type ip6 icmpv6 type { nd-router-advert, nd-redirect } drop",
            "ether type ip6 udp sport 547 drop", *advertised,
            "ether type ip6 icmpv6 type nd-neighbor-advert drop",
            "ether type ip6 ip6 saddr :: icmpv6 type { nd-router-solicit, nd-neighbor-solicit, "
            "mld-listener-report, mld-listener-done, mld2-listener-report } accept",
            f"ether type ip6 ip6 saddr {{ {', '.join(own)} }} accept"]


def _inet(plan: HostPlan) -> list[str]:
    lines = [line for group in plan.groups.values() for line in render_group(group)]
    lines += ["chain always_in {", *_ALWAYS_IN, "}", "chain always_out {", *_ALWAYS_OUT, "}"]
    if not plan.networks:
        return lines
    zones = [f'"{network.bridge}" : {number}' for number, network in plan.networks]
    lines += ["set bridges {", "type ifname", f"elements = {_quoted(network.bridge for _, network in plan.networks)}",
              "}"]
    lines += render_underlay(tunnelled(plan.networks, plan.tunnel_address), plan.tunnel_address)
    filtered = [(number, port) for number, port in plan.ports if port.port_security]
    for number, port in filtered:
        lines += _filters(number, port, plan.groups)
    return [*lines,
            "chain zone {", "type filter hook prerouting priority raw; policy accept;",
            f"ct zone set iifname map {{ {', '.join(zones)} }}", "}",
            *_by_mark("leaving", "prerouting", [f"{_mark(number, port):#x} : goto from_{number}"
                                                for number, port in filtered]),
            *_by_mark("arriving", "forward", [f"{_mark(number, port):#x} : goto to_{number}"
                                              for number, port in filtered])]


def _by_mark(chain: str, hook: str, verdicts: list[str]) -> list[str]:
    verdicts = [*verdicts, f"{names.OPEN_MARK:#x} : accept"]
    return [f"chain {chain} {{", f"type filter hook {hook} priority filter; policy accept;",
            "iifname != @bridges accept", f"meta mark vmap {{ {', '.join(verdicts)} }}", "drop", "}"]


def _filters(number: int, port: PortWiring, groups: Mapping[str, GroupWiring]) -> list[str]:
    lines = []
    for chain, always, direction in ((f"from_{number}", "always_out", Direction.EGRESS),
                                     (f"to_{number}", "always_in", Direction.INGRESS)):
        jumps = [f"jump {chain_name(direction, id)}" for id in port.group_ids if id in groups]
        lines += [f"chain {chain} {{", f"jump {always}", *_TRACKED, *jumps, "drop", "}"]
    return lines


def _mark(number: int, port: PortWiring) -> int:
    return names.port_mark(number) if port.port_security else names.OPEN_MARK


def _of_family(port: PortWiring, version: int) -> list[str]:
    return [address for address in port.addresses if ip_address(address).version == version]


def _quoted(devices: Iterable[str]) -> str:
    return "{ " + ", ".join(f'"{device}"' for device in devices) + " }"
