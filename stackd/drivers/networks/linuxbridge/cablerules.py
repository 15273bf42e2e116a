"""What may not pass between a host and a physical network, as nftables text. Pure; ``hostrules`` puts it in its table.

Every host of the network serves DHCP and metadata for its own guests, from a router namespace that has the same MAC
everywhere: neither those questions and answers nor anything of that router's goes out or comes in. All else does,
and the groups decide what guests get of it.
"""

from collections.abc import Iterable, Sequence

from stackd.drivers.networks.linuxbridge import names
from stackd.model.wirings import NetworkWiring, PortWiring

_WITHIN_HOST = [
    *(f"ether type arp arp {side} ip {names.METADATA} drop" for side in ("saddr", "daddr")),
    "ether type ip udp dport { 67, 68 } drop", "ether type ip6 udp dport { 546, 547 } drop",
    "ip saddr 169.254.0.0/16 drop", "ip daddr 169.254.0.0/16 drop"]
_TAGGED = "ether type { 8021q, 8021ad } drop"
"""Groups see no packets inside another VLAN, and a guest that tags its own would be in another tenant's network."""


def render_cable(number: int, network: NetworkWiring, tunnel_address: str) -> list[str]:
    """The chains for frames from a network's cable and to it."""
    mac = names.router_mac(network.id, tunnel_address)
    return [f"chain from_cable_{number} {{", f"ether daddr {mac} drop",
            _TAGGED, *_WITHIN_HOST, f"meta mark set {names.OPEN_MARK:#x}", "}",
            f"chain to_cable_{number} {{", _TAGGED, f"ether saddr {mac} drop", *_WITHIN_HOST, "}"]


def render_metadata(networks: Sequence[tuple[int, NetworkWiring]], ports: Iterable[PortWiring],
                    tunnel_address: str) -> list[str]:
    """The chain that leads to the metadata service what guests send to their gateway, which is somebody else's."""
    macs = {network.id: names.router_mac(network.id, tunnel_address) for _, network in networks
            if network.physical_network}
    lines = [f'iifname "{port.tap}" ip daddr {names.METADATA} ether daddr set {macs[port.network_id]}'
             for port in ports if port.network_id in macs]
    return ["chain metadata {", "type filter hook prerouting priority -290; policy accept;", *lines, "}"] \
        if lines else []
