"""Where the processes of a site run: all on the machine itself, as fake hosts may."""

from attrs import frozen

LOCAL = "127.0.0.1"


@frozen(kw_only=True)
class HostGround:
    """What a pair of host processes must be told of the network it is in."""

    netns: str = ""
    public_bridge: str = ""
    tunnel_address: str = ""
    snat_range: str = "100.64.0.0/16"


class OneMachine:
    """No namespaces; everything listens on the machine's own 127.0.0.1."""

    namespace = ""
    """Of the control plane."""
    address = LOCAL
    """Of the control plane for its users."""
    inner = LOCAL
    """Of the control plane for hosts."""
    listen = LOCAL
    """Where its APIs listen."""
    external_cidr = ""
    """Floating addresses; empty where it does not matter."""

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def remove(self) -> None:
        """Nor to remove."""

    def host(self, name: str) -> HostGround:
        """Where a host is."""
        return HostGround()
