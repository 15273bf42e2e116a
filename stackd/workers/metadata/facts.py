"""What both trees tell of an instance, taken from its assignment. Pure."""

from ipaddress import ip_address

from stackd.model.assignments import InstanceAssignment
from stackd.model.networks import FixedIP, Port, PortDesired

DOMAIN = "novalocal"


def live_ports(assignment: InstanceAssignment) -> tuple[Port, ...]:
    """The interfaces in the order of their device index, without those being deleted."""
    return tuple(sorted((port for port in assignment.ports if port.desired is PortDesired.WIRED),
                        key=lambda port: port.device_index))


def fixed(port: Port, version: int) -> tuple[FixedIP, ...]:
    """The fixed addresses of one family."""
    return tuple(each for each in port.fixed_ips if ip_address(each.address).version == version)


def first_fixed(assignment: InstanceAssignment) -> FixedIP | None:
    """The first IPv4 address of the first interface that has one."""
    return next((each for port in live_ports(assignment) for each in fixed(port, 4)), None)


def full_hostname(assignment: InstanceAssignment) -> str:
    """The host name with the domain that DHCP gives too."""
    return f"{assignment.instance.hostname}.{DOMAIN}"
