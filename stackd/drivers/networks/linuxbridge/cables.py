"""The port of a network's bridge that leads to a physical network: the interface itself, or a VLAN of it. Blocking.

The interface is the operator's: it is looked up by the configured name, never made or removed, and what somebody else
has plugged into a bridge is left there.
"""

from typing import Any

from attrs import frozen

from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.checking import check_outside
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.errors import PermanentFailure, TransientFailure
from stackd.model.wirings import NetworkWiring

_NO_VLANS = ("Unknown device type", "not supported")
"""What ``ip`` says where there are none."""
Standing = dict[str, dict[str, Any]]


@frozen
class Cable:
    """Where a network leaves its host: ``port`` is on its bridge; ``link`` is the interface below."""

    port: str
    link: str


class Cables:
    """The ports to physical networks on a host."""

    def __init__(self, commands: Commands, options: LinuxBridgeOptions) -> None:
        """``options`` map physical networks to interfaces, and say what is outside."""
        self._commands = commands
        self._options = options
        self._links = options.physical_links
        self._alias = names.mark(str(options.state))

    def of(self, network: NetworkWiring) -> Cable | None:
        """The cable of a network; None when it has none or this host is not on its physical network."""
        link = self._links.get(network.physical_network) if network.physical_network else None
        if link is None:
            return None
        return Cable(names.cable_link(network.id) if network.vlan else link, link)

    def check(self, network: NetworkWiring, links: Standing) -> None:
        """Raise when the network cannot be plugged in here: no such network, no such interface, or it carries less.

        A network without a cable is plugged into the outside by its router. The link of a VLAN is made already, which
        is how one learns whether the kernel has VLANs.
        """
        if not network.physical_network:
            check_outside(network, self._options)
            return
        cable = self.of(network)
        if cable is None:
            raise PermanentFailure(f"This host is not on physical network {network.physical_network}.")
        found = links.get(cable.link)
        if found is None:
            raise TransientFailure(f"The interface {cable.link} is not on this host.",
                                   remedy=f"Plug it in, or configure another one for {network.physical_network}.")
        if int(found["mtu"]) < network.mtu:
            raise PermanentFailure(f"The interface {cable.link} carries packets of {found['mtu']} bytes, network "
                                   f"{network.id} has {network.mtu}.", remedy="Raise the interface's MTU.")
        if not network.vlan and found.get("master", network.bridge) != network.bridge:
            raise PermanentFailure(f"The interface {cable.link} is plugged into {found['master']} already.")
        if network.vlan:
            self._make_vlan(cable, network.vlan, links)

    def ensure(self, network: NetworkWiring) -> None:
        """Let the network's bridge have its cable; nothing for networks that have none."""
        cable = self.of(network)
        if cable is None:
            return
        links = self._commands.links(self._commands.netns)
        lines = [f"link set {cable.link} up"]
        if network.vlan:
            self._make_vlan(cable, network.vlan, links)
            lines.append(f"link set {cable.port} addrgenmode none mtu {network.mtu}")
        self._commands.batch(self._commands.netns, [*lines, f"link set {cable.port} master {network.bridge} up"])

    def _make_vlan(self, cable: Cable, vlan: int, links: Standing) -> None:
        if links.get(cable.port, {}).get("link") == cable.link:
            return
        lines = [f"link del {cable.port}"] if cable.port in links else []
        lines += [f"link add link {cable.link} name {cable.port} type vlan id {vlan}",
                  f'link set {cable.port} alias "{self._alias}"']
        try:
            self._commands.batch(self._commands.netns, lines)
        except TransientFailure as failure:
            if any(words in str(failure) for words in _NO_VLANS):
                raise PermanentFailure("The kernel of this host has no VLANs.",
                                       remedy="Load the module 8021q.") from None
            raise

    def complete(self, network: NetworkWiring, links: Standing) -> bool:
        """Whether the network's cable is in its bridge, given the host's links."""
        if not network.physical_network:
            return True
        cable = self.of(network)
        return cable is not None and links.get(cable.port, {}).get("master") == network.bridge
