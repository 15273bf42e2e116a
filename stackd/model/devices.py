"""Names of kernel devices, computed from ids so that every daemon finds the same ones (at most 15 characters)."""


def tap_name(port_id: str) -> str:
    """The tap device of a port."""
    return f"tap{port_id[:11]}"


def bridge_name(network_id: str) -> str:
    """The bridge of a network on a host."""
    return f"sbr{network_id[:11]}"
