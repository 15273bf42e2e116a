"""Networks, subnets and ports."""

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from stackd.model.faults import Fault

VLAN_IDS = range(1, 4095)


class PortDesired(Enum):
    """What a port should be on its host."""

    WIRED = "wired"
    DELETED = "deleted"


class WiringState(Enum):
    """What the network worker observed of a port or a floating address."""

    UNKNOWN = "unknown"
    ABSENT = "absent"
    WIRED = "wired"


class NetworkType(Enum):
    """How the packets of a network travel between hosts."""

    VXLAN = "vxlan"
    """In tunnels; every tenant network."""
    VLAN = "vlan"
    """On a physical network, tagged (802.1Q)."""
    FLAT = "flat"
    """On a physical network as they are."""


@frozen(kw_only=True)
class Underlay:
    """What the cloud's networks are made on, as configured.

    ``mtu`` is the largest packet hosts and physical networks carry. ``vlans`` maps each physical network
    administrators may use to the range of VLAN ids the cloud gives out there; (0, 0) where it gives out none.
    """

    mtu: int = 1500
    vlans: Mapping[str, tuple[int, int]] = field(factory=dict)


@frozen(kw_only=True)
class Network:
    """A broadcast domain of a project; EC2 shows tenant networks as VPCs.

    ``segment`` is the VXLAN network id (24 bits), the VLAN id, or 0 for flat and external networks. ``is_default``
    marks the one launches use when nothing is said. ``external`` networks carry floating addresses and belong to
    admins. VLAN and flat networks are on a ``physical_network``, whose own router is their gateway.
    """

    id: str
    project_id: str
    name: str
    shared: bool = False
    external: bool = False
    is_default: bool = False
    admin_state_up: bool = True
    mtu: int = 1450
    type: NetworkType = NetworkType.VXLAN
    physical_network: str = ""
    segment: int = 0
    description: str = ""
    generation: int = 1
    subnet_ids: tuple[str, ...] = ()
    created_at: float = 0.0
    updated_at: float = 0.0


@frozen(kw_only=True)
class AddressPool:
    """An inclusive range of addresses, in text form."""

    start: str
    end: str


@frozen(kw_only=True)
class Subnet:
    """A prefix on a network. ``gateway_ip`` empty means none; ``dns`` are resolver addresses in order.

    ``zone`` is the availability zone EC2 shows; empty means the cloud's first.
    """

    id: str
    project_id: str
    network_id: str
    name: str
    cidr: str
    ip_version: int = 4
    gateway_ip: str = ""
    dhcp: bool = True
    pools: tuple[AddressPool, ...] = ()
    dns: tuple[str, ...] = ()
    zone: str = ""
    description: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0


@frozen(kw_only=True)
class FixedIP:
    """One address of a port; ``floating_ip`` is the public address that leads to it, or empty."""

    subnet_id: str
    address: str
    floating_ip: str = ""
    floating_ip_id: str = ""


@frozen(kw_only=True)
class GroupName:
    """A security group as views show it beside a port."""

    id: str
    name: str


@frozen(kw_only=True)
class Port:
    """A network interface of an instance (or of nothing yet).

    ``mac`` is lower-case with colons. ``host`` is empty until its instance is placed.
    ``device_id`` is the instance's id or what a user wrote; ``device_owner`` is ``compute:ZONE`` for instances.
    """

    id: str
    project_id: str
    network_id: str
    name: str = ""
    mac: str = ""
    fixed_ips: tuple[FixedIP, ...] = ()
    groups: tuple[GroupName, ...] = ()
    device_id: str = ""
    device_owner: str = ""
    device_index: int = 0
    delete_on_termination: bool = True
    """False when the user made the port and the instance only borrows it."""
    admin_state_up: bool = True
    port_security: bool = True
    description: str = ""
    host: str = ""
    desired: PortDesired = PortDesired.WIRED
    generation: int = 1
    observed: WiringState = WiringState.UNKNOWN
    observed_generation: int = 0
    fault: Fault | None = None
    """Why it could not be wired on its host."""
    created_at: float = 0.0
    updated_at: float = 0.0
