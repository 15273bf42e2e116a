"""What a network driver takes and shows: the wiring of one host."""

from collections.abc import Mapping

from attrs import field, frozen

from stackd.model.groups import SecurityGroupRule
from stackd.model.networks import Subnet


@frozen(kw_only=True)
class NetworkWiring:
    """A network this host takes part in: a bridge, DHCP and router advertisement for its subnets, SNAT.

    ``peers`` are the tunnel addresses of the other hosts that take part, in order; ``segment`` is what tells the
    network's packets from others' in a tunnel. A network on a ``physical_network`` has neither: its packets are
    tagged with ``vlan``, or not at all where that is 0, and its gateway is the physical network's own router.
    One that is not ``admin_state_up`` has closed ports only.
    """

    id: str
    generation: int
    bridge: str
    mtu: int
    segment: int = 0
    physical_network: str = ""
    vlan: int = 0
    subnets: tuple[Subnet, ...] = ()
    peers: tuple[str, ...] = ()
    admin_state_up: bool = True


@frozen(kw_only=True)
class PortWiring:
    """One interface: anti-spoofing, a DHCP reservation, and its groups. ``addresses`` are its fixed ones.

    ``hostname`` is what DHCP hands out. ``generation`` is the port's. A port that is not ``admin_state_up`` is closed:
    nothing passes it in either direction.
    """

    id: str
    generation: int
    network_id: str
    tap: str
    mac: str
    addresses: tuple[str, ...]
    hostname: str = ""
    instance_id: str = ""
    group_ids: tuple[str, ...] = ()
    port_security: bool = True
    admin_state_up: bool = True


@frozen(kw_only=True)
class FloatingWiring:
    """A public address to be answered for on this host and led to ``fixed_ip`` of ``port_id``."""

    id: str
    generation: int
    address: str
    port_id: str
    fixed_ip: str


@frozen(kw_only=True)
class GroupWiring:
    """A group's rules, and the fixed addresses of the members of every group the rules refer to.

    ``members`` maps a remote group's id to the addresses (both families) of its ports on all hosts.
    """

    id: str
    generation: int
    rules: tuple[SecurityGroupRule, ...] = ()
    members: Mapping[str, tuple[str, ...]] = field(factory=dict)


@frozen(kw_only=True)
class WiringChange:
    """What to bring about, in one atomic ruleset: ensure these, remove those ids, leave all else alone."""

    networks: tuple[NetworkWiring, ...] = ()
    ports: tuple[PortWiring, ...] = ()
    floating_ips: tuple[FloatingWiring, ...] = ()
    groups: tuple[GroupWiring, ...] = ()
    remove_networks: tuple[str, ...] = ()
    remove_ports: tuple[str, ...] = ()
    remove_floating_ips: tuple[str, ...] = ()
    remove_groups: tuple[str, ...] = ()


@frozen(kw_only=True)
class ObservedWiring:
    """What stands on this host now: id -> generation wired, for each kind."""

    networks: Mapping[str, int] = field(factory=dict)
    ports: Mapping[str, int] = field(factory=dict)
    floating_ips: Mapping[str, int] = field(factory=dict)
    groups: Mapping[str, int] = field(factory=dict)
