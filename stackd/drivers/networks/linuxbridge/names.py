"""Names and numbers the driver gives to what it makes, computed from ids, so that a rebuilt driver finds them again.

Everything in the host's namespace is a bridge, a tunnel's end, or the outer end of a veth pair whose inner end is in
the router namespace of a network. All carry :func:`mark` as their alias; the nftables tables have :data:`TABLE` as
their name.
"""

import hashlib

from stackd.model.devices import bridge_name

TABLE = "stackd"
INSIDE = "inside"
"""The router's end towards the network."""
PUBLIC = "public"
"""The router's end towards the public bridge."""
METADATA = "169.254.169.254"
METADATA_PORT = 80
TUNNEL_PORT = 4789
"""VXLAN's UDP port."""
OPEN_MARK = 0x5DFFFFFF
"""Packet mark of bridge ports that are not filtered."""


def inside_link(network_id: str) -> str:
    """The host's end of the veth to the router's :data:`INSIDE`."""
    return f"srv{network_id[:11]}"


def public_link(network_id: str) -> str:
    """The host's end of the veth to the router's :data:`PUBLIC`."""
    return f"srp{network_id[:11]}"


def tunnel_link(network_id: str) -> str:
    """The port of a network's bridge that leads to the other hosts."""
    return f"svx{network_id[:11]}"


def cable_link(network_id: str) -> str:
    """The port of a VLAN network's bridge that leads to its physical network."""
    return f"svl{network_id[:11]}"


def router_namespace(netns: str, network_id: str) -> str:
    """The namespace of a network's router; ``netns`` is the host's own, so hosts of one machine do not collide."""
    return f"{router_prefix(netns)}{network_id[:11]}"


def router_prefix(netns: str) -> str:
    """What the names of all router namespaces of a host begin with."""
    return f"{netns or 'stackd'}-r-"


def network_digits(link: str) -> str:
    """The digits of the network id in the name of a bridge, a tunnel's end or a host's end of a veth."""
    return link[len(bridge_name("")):]


def router_mac(network_id: str, tunnel_address: str = "") -> str:
    """The router's address on its network: the same after a rebuild, so guests' neighbour tables stay right.

    Routers of one network on several hosts differ, for they are on one link.
    """
    digits = hashlib.sha256(f"{network_id} {tunnel_address}".encode()).hexdigest() if tunnel_address else network_id
    return "02:5d:" + ":".join(digits[at:at + 2] for at in range(0, 8, 2))


def port_mark(number: int) -> int:
    """The packet mark of a port."""
    return 0x5D000000 + number


def mark(state: str) -> str:
    """The alias of every link made by the driver with this state folder."""
    return f"stackd {state}"
