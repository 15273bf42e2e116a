"""Tables of the network side: networks, subnets, ports and their addresses, floating addresses, security groups.

``number`` beside an IPv4 address is its integer value: free addresses are found by ranges of it. The store's
network modules read and write these; nobody else does.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from stackd.store.tables.base import (
    Id,
    Json,
    Name,
    Seconds,
    id_column,
    metadata,
    newest_report,
    short_id_column,
    times,
)

Address = String(45)

networks = Table(
    "networks", metadata,
    id_column(),
    short_id_column(),
    Column("project_id", Id, nullable=False, index=True),
    Column("name", Name, nullable=False, default=""),
    Column("shared", Boolean, nullable=False, default=False),
    Column("external", Boolean, nullable=False, default=False),
    Column("is_default", Boolean, nullable=False, default=False),
    Column("admin_state_up", Boolean, nullable=False, default=True),
    Column("mtu", Integer, nullable=False, default=1450),
    # NULL for all but VXLAN networks, of which each has its own.
    Column("segment", Integer, nullable=True, unique=True),
    Column("type", String(8), nullable=False, default="vxlan", server_default="vxlan"),
    # NULL for networks that are on none; 0 for flat ones, of which a physical network has one at most.
    Column("physical_network", Name, nullable=True),
    Column("vlan", Integer, nullable=True),
    Column("description", Text, nullable=False, default=""),
    Column("generation", Integer, nullable=False, default=1),
    # Deleted by its user, kept until no host has a port on it.
    Column("deleted", Boolean, nullable=False, default=False),
    *times(),
    Index("uq_networks_physical_network_vlan", "physical_network", "vlan", unique=True),
)

subnets = Table(
    "subnets", metadata,
    id_column(),
    short_id_column(),
    Column("project_id", Id, nullable=False, index=True),
    Column("network_id", Id, ForeignKey("networks.id"), nullable=False, index=True),
    Column("name", Name, nullable=False, default=""),
    Column("cidr", String(49), nullable=False),
    Column("ip_version", Integer, nullable=False),
    Column("gateway_ip", Address, nullable=False, default=""),
    Column("dhcp", Boolean, nullable=False, default=True),
    Column("pools", Json, nullable=False),
    Column("dns", Json, nullable=False),
    Column("zone", Name, nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    # The number of the address handed out last: the search for a free one goes on behind it.
    Column("cursor", BigInteger, nullable=False, default=0),
    *times(),
)

ports = Table(
    "ports", metadata,
    id_column(),
    short_id_column(),
    Column("project_id", Id, nullable=False, index=True),
    Column("network_id", Id, ForeignKey("networks.id"), nullable=False),
    Column("name", Name, nullable=False, default=""),
    Column("mac", String(17), nullable=False),
    Column("device_id", Name, nullable=False, default=""),
    Column("device_owner", Name, nullable=False, default=""),
    Column("device_index", Integer, nullable=False, default=0),
    Column("delete_on_termination", Boolean, nullable=False, default=True),
    Column("admin_state_up", Boolean, nullable=False, default=True),
    Column("port_security", Boolean, nullable=False, default=True),
    Column("description", Text, nullable=False, default=""),
    Column("hostname", Name, nullable=False, default=""),
    Column("host", Name, nullable=False, default=""),
    Column("desired", String(16), nullable=False),
    Column("generation", Integer, nullable=False, default=1),
    Column("observed", String(16), nullable=False),
    Column("observed_generation", Integer, nullable=False, default=0),
    *newest_report(),
    Column("fault", Json, nullable=True),
    *times(),
    UniqueConstraint("network_id", "mac"),
    Index("ix_ports_device_id", "device_id"),
    Index("ix_ports_host", "host"),
)

port_addresses = Table(
    "port_addresses", metadata,
    Column("port_id", Id, ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("address", Address, primary_key=True),
    Column("network_id", Id, nullable=False),
    # No foreign key: the addresses of ports being removed may outlive their subnet.
    Column("subnet_id", Id, nullable=False),
    Column("number", BigInteger, nullable=False, default=0),
    Column("position", Integer, nullable=False, default=0),
    UniqueConstraint("network_id", "address"),
    Index("ix_port_addresses_subnet_id_number", "subnet_id", "number"),
)

security_groups = Table(
    "security_groups", metadata,
    id_column(),
    short_id_column(),
    Column("project_id", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("stateful", Boolean, nullable=False, default=True),
    Column("generation", Integer, nullable=False, default=1),
    *times(),
    Index("ix_security_groups_project_id_name", "project_id", "name"),
)

security_group_rules = Table(
    "security_group_rules", metadata,
    id_column(),
    short_id_column(),
    Column("group_id", Id, ForeignKey("security_groups.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", Id, nullable=False, index=True),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(4), nullable=False),
    Column("protocol", String(40), nullable=False, default=""),
    Column("port_min", Integer, nullable=True),
    Column("port_max", Integer, nullable=True),
    Column("remote_cidr", String(49), nullable=False, default=""),
    Column("remote_group_id", String(32), nullable=False, default="", index=True),
    Column("description", Text, nullable=False, default=""),
    Column("created_at", Seconds, nullable=False, default=0.0),
)

port_groups = Table(
    "port_groups", metadata,
    Column("port_id", Id, ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", Id, ForeignKey("security_groups.id"), primary_key=True, index=True),
    Column("position", Integer, nullable=False, default=0),
)

floating_ips = Table(
    "floating_ips", metadata,
    id_column(),
    short_id_column(),
    Column("project_id", Id, nullable=False, index=True),
    Column("network_id", Id, ForeignKey("networks.id"), nullable=False),
    Column("subnet_id", Id, ForeignKey("subnets.id"), nullable=False),
    Column("address", Address, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("port_id", String(32), nullable=False, default="", index=True),
    Column("fixed_ip", Address, nullable=False, default=""),
    Column("host", Name, nullable=False, default="", index=True),
    Column("holder", Name, nullable=False, default="", index=True),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("generation", Integer, nullable=False, default=1),
    Column("observed", String(16), nullable=False),
    Column("observed_generation", Integer, nullable=False, default=0),
    *newest_report(),
    Column("description", Text, nullable=False, default=""),
    *times(),
    UniqueConstraint("network_id", "address"),
    Index("ix_floating_ips_subnet_id_number", "subnet_id", "number"),
)

member_changes = Table(
    "member_changes", metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("group_id", Id, nullable=False),
)
"""Groups that gained or lost a member of which no host was told yet; a row for each time, so that nobody waits."""
