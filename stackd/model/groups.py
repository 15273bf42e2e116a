"""Security groups and their rules: stateful, allow only."""

from enum import Enum

from attrs import frozen


class Direction(Enum):
    """Which way the first packet goes, seen from the guest."""

    INGRESS = "ingress"
    EGRESS = "egress"


@frozen(kw_only=True)
class SecurityGroupRule:
    """One permission.

    ``ethertype`` is ``IPv4`` or ``IPv6``. ``protocol`` is empty for any, else a lower-case name
    (``tcp``, ``udp``, ``icmp``, ``icmpv6``) or a number as text. ``port_min`` and ``port_max`` are ports,
    or ICMP type and code; None means any. At most one of ``remote_cidr`` and ``remote_group_id`` is set;
    neither means everywhere.
    """

    id: str
    group_id: str
    project_id: str
    direction: Direction
    ethertype: str = "IPv4"
    protocol: str = ""
    port_min: int | None = None
    port_max: int | None = None
    remote_cidr: str = ""
    remote_group_id: str = ""
    description: str = ""
    created_at: float = 0.0


@frozen(kw_only=True)
class SecurityGroup:
    """A named set of rules of one project; ``generation`` is raised by each change of rules or members."""

    id: str
    project_id: str
    name: str
    description: str = ""
    stateful: bool = True
    rules: tuple[SecurityGroupRule, ...] = ()
    generation: int = 1
    created_at: float = 0.0
    updated_at: float = 0.0


@frozen(kw_only=True)
class RuleRequest:
    """A rule asked for; the fields mean what they mean in :class:`SecurityGroupRule`."""

    direction: Direction
    ethertype: str = "IPv4"
    protocol: str = ""
    port_min: int | None = None
    port_max: int | None = None
    remote_cidr: str = ""
    remote_group_id: str = ""
    description: str = ""
