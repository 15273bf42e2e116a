"""What may not pass between hosts on a network's tunnel, as nftables text. Pure; ``hostrules`` puts it into its table.

Each host has a router of its own for a network, all with the same addresses, and each answers its own guests only:
what asks for a router, what a router says of itself, and DHCP stay on the host. Routers do send to guests on other
hosts what came from another subnet of the network; they ask for those guests without giving their own address
(RFC 5227), so that nobody takes a router far away for the own one.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from stackd.drivers.networks.linuxbridge import names
from stackd.model.wirings import NetworkWiring

_SOLICITED = "{ nd-neighbor-solicit, nd-neighbor-advert }"


def tunnelled(networks: Sequence[tuple[int, NetworkWiring]], tunnel_address: str) -> list[tuple[int, NetworkWiring]]:
    """The networks that have a tunnel on a host with this address."""
    return [(number, network) for number, network in networks if tunnel_address and network.segment]


def render_tunnel(number: int, network: NetworkWiring, tunnel_address: str) -> list[str]:
    """The chains for frames from the tunnel of a network and to it."""
    mac = names.router_mac(network.id, tunnel_address)
    return [f"chain within_host_{number} {{", *_within_host(network), "}",
            f"chain from_tunnel_{number} {{", f"jump within_host_{number}",
            # Answers to what our router asked come in; nobody elsewhere is routed by it.
            f"ether daddr {mac} ether type ip drop",
            f"ether daddr {mac} ether type ip6 meta l4proto != ipv6-icmp drop",
            f"ether daddr {mac} ether type ip6 icmpv6 type != {_SOLICITED} drop",
            # The sender's host has looked at who sends, and let it leave.
            f"meta mark set {names.OPEN_MARK:#x}", "}",
            f"chain to_tunnel_{number} {{",
            f"ether saddr {mac} ether type arp arp operation request arp saddr ip set 0.0.0.0",
            f"jump within_host_{number}", "}"]


def render_underlay(networks: Sequence[tuple[int, NetworkWiring]], tunnel_address: str) -> list[str]:
    """The chain that takes tunnelled packets from peers only, or guests could make their own outside of all rules."""
    if not networks:
        return []
    peers = sorted({peer for _, network in networks for peer in network.peers})
    others = f"ip saddr != {{ {', '.join(peers)} }} " if peers else ""
    return ["chain underlay {", "type filter hook input priority filter; policy accept;",
            f"ip daddr {tunnel_address} udp dport {names.TUNNEL_PORT} {others}drop", "}"]


def _within_host(network: NetworkWiring) -> list[str]:
    gateways = [subnet.gateway_ip for subnet in network.subnets if subnet.gateway_ip]
    routers = ", ".join([names.METADATA, *(each for each in gateways if ip_address(each).version == 4)])
    return [f"ether type arp arp {side} ip {{ {routers} }} drop" for side in ("saddr", "daddr")] + [
        "ether type ip udp dport { 67, 68 } drop", "ether type ip6 udp dport { 546, 547 } drop",
        "ip saddr 169.254.0.0/16 drop", "ip daddr 169.254.0.0/16 drop",
        "icmpv6 type { nd-router-solicit, nd-router-advert, nd-redirect } drop",
        *(f"icmpv6 type {_SOLICITED} @th,64,128 {int(ip_address(each)):#x} drop"
          for each in gateways if ip_address(each).version == 6)]
