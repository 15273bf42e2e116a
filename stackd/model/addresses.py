"""Floating addresses, called Elastic IPs by EC2."""

from attrs import frozen

from stackd.model.networks import WiringState


@frozen(kw_only=True)
class FloatingIP:
    """A public address of a project, leading to one fixed address of one port or to nothing.

    ``holder`` is the host where it was last observed WIRED; it owns the row until withdrawn, then the
    host of the present port does. ``generation`` is raised by each (dis)association.
    """

    id: str
    project_id: str
    network_id: str
    """The external network it comes from."""
    address: str
    port_id: str = ""
    fixed_ip: str = ""
    instance_id: str = ""
    host: str = ""
    """The host of the port, empty while it has none."""
    deleted: bool = False
    """Released by the user, kept until no host holds it."""
    generation: int = 1
    holder: str = ""
    observed: WiringState = WiringState.UNKNOWN
    observed_generation: int = 0
    description: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
