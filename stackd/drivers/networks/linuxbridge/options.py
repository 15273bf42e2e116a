"""What an operator may set of the Linux bridge driver."""

from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen


@frozen(kw_only=True)
class LinuxBridgeOptions:
    """``state`` is a folder of the driver's own, the same at every start.

    ``netns`` names the namespace that is this host; empty is the present one. ``public_bridge`` is a bridge in it
    that leads outside; empty means no outside: no SNAT and no floating addresses. Each router takes one address of
    ``snat_range`` for its guests' traffic to the outside, whose first address is the outside's own. Addresses in
    ``floating_ranges`` are reached directly on the public bridge. ``dns`` serves subnets that name no resolver.
    ``tunnel_address`` is this host's end of the tunnels to other hosts, an IPv4 address; empty means no tunnels.
    ``physical_links`` maps the physical networks this host is on to its interfaces that lead there.
    Outside commands inherit the open files ``inherited``: a lock that lasts until they have ended.
    """

    state: Path = field(converter=Path)
    netns: str = ""
    public_bridge: str = ""
    snat_range: str = "100.64.0.0/16"
    floating_ranges: tuple[str, ...] = ("203.0.113.0/24",)
    dns: tuple[str, ...] = ()
    tunnel_address: str = ""
    physical_links: Mapping[str, str] = field(factory=dict)
    inherited: tuple[int, ...] = ()
