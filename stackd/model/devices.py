"""Names of kernel devices (at most 15 characters) and of domains, computed from ids so that every daemon finds the
same ones.
"""


def tap_name(port_id: str) -> str:
    """The tap device of a port."""
    return f"tap{port_id[:11]}"


def bridge_name(network_id: str) -> str:
    """The bridge of a network on a host."""
    return f"sbr{network_id[:11]}"


def domain_name(id: str) -> str:
    """The hypervisor's name of an instance, for the operator's eyes; the domain's UUID is the instance's id."""
    return f"stackd-{id}"
