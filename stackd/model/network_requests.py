"""What users ask of the network side, in neutral words; both APIs make these, ``core`` takes them.

In the ``New...`` records ``project_id`` None means the caller's own project; only admins may name another. In the
``...Change`` records None means: leave as it is.
"""

from attrs import field, frozen

from stackd.model.networks import AddressPool, NetworkType


@frozen(kw_only=True)
class NewNetwork:
    """A network to be made; ``mtu`` None takes the cloud's own.

    ``type``, ``physical_network`` and ``segment`` are for administrators; ``segment`` None takes a free one.
    """

    name: str = ""
    description: str = ""
    shared: bool = False
    external: bool = False
    admin_state_up: bool = True
    mtu: int | None = None
    type: NetworkType | None = None
    physical_network: str | None = None
    segment: int | None = None
    project_id: str | None = None


@frozen(kw_only=True)
class NetworkChange:
    """A change of a network."""

    name: str | None = None
    description: str | None = None
    shared: bool | None = None
    external: bool | None = None
    admin_state_up: bool | None = None
    mtu: int | None = None


@frozen(kw_only=True)
class NewSubnet:
    """A subnet to be made. ``gateway_ip`` None takes the first address, empty means none; ``pools`` None takes all."""

    network_id: str
    cidr: str
    ip_version: int = 4
    name: str = ""
    description: str = ""
    gateway_ip: str | None = None
    dhcp: bool = True
    pools: tuple[AddressPool, ...] | None = None
    dns: tuple[str, ...] = field(default=(), converter=tuple)
    zone: str = ""
    project_id: str | None = None


@frozen(kw_only=True)
class SubnetChange:
    """A change of a subnet; an empty ``gateway_ip`` takes the gateway away."""

    name: str | None = None
    description: str | None = None
    gateway_ip: str | None = None
    dhcp: bool | None = None
    pools: tuple[AddressPool, ...] | None = None
    dns: tuple[str, ...] | None = None


@frozen(kw_only=True)
class NewPort:
    """A port to be made. ``group_ids`` None means the project's ``default`` group."""

    network_id: str
    name: str = ""
    description: str = ""
    subnet_id: str | None = None
    fixed_ip: str | None = None
    group_ids: tuple[str, ...] | None = None
    mac: str | None = None
    admin_state_up: bool = True
    port_security: bool = True
    device_id: str = ""
    device_owner: str = ""
    project_id: str | None = None


@frozen(kw_only=True)
class PortChange:
    """A change of a port."""

    name: str | None = None
    description: str | None = None
    group_ids: tuple[str, ...] | None = None
    admin_state_up: bool | None = None
    port_security: bool | None = None
    device_id: str | None = None
    device_owner: str | None = None
