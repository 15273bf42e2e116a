"""The devices of a network on a host: its bridge, its router namespace, and the veth pairs that join them. Blocking.

Looks first, then does what is missing, so that what a crash left half-done is completed by doing it again.
"""

import json
from collections.abc import Iterable
from ipaddress import ip_network

from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.drivers.networks.namespaces import namespace_identity
from stackd.errors import PermanentFailure, TransientFailure
from stackd.model.devices import bridge_name
from stackd.model.wirings import FloatingWiring, NetworkWiring

_ROUTER_SYSCTLS = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.arp_ignore=1",
                   "net.ipv6.conf.default.accept_dad=0", "net.ipv4.conf.all.rp_filter=0",
                   "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0")
_FILTERING = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")


class Links:
    """The devices on a host."""

    def __init__(self, commands: Commands, options: LinuxBridgeOptions) -> None:
        """``options`` name the public bridge and its ranges."""
        self._commands = commands
        self._options = options
        self._alias = names.mark(str(options.state))

    def ensure_filtering(self) -> None:
        """Let bridged packets pass the inet rules of the host's namespace; without it there are no groups."""
        self._commands.host("sysctl", "-qw", *(f"{name}=1" for name in _FILTERING))

    def filtering(self) -> bool:
        """Whether bridged packets pass the inet rules now."""
        return self._commands.answer(self._commands.netns, "sysctl", "-n", *_FILTERING).split() == ["1", "1"]

    def ensure(self, network: NetworkWiring, number: int, floating_ips: Iterable[FloatingWiring]) -> None:
        """Let the network's devices be there, joined, up and addressed."""
        router = self.router(network.id)
        if namespace_identity(router) is None:
            self._commands.within("", "ip", "netns", "add", router)
        shown = json.loads(self._commands.within(router, "ip", "-j", "addr", "show"))
        inner = frozenset(link["ifname"] for link in shown)
        if names.INSIDE not in inner:
            self._commands.within(router, "sysctl", "-qw", *_ROUTER_SYSCTLS)
        outer = frozenset(self._commands.links(self._commands.netns))
        self._commands.batch(self._commands.netns, self._host_lines(network, router, outer, inner))
        held = {(link["ifname"], f"{address['local']}/{address['prefixlen']}")
                for link in shown if link["ifname"] in (names.INSIDE, names.PUBLIC)
                for address in link["addr_info"] if not address["local"].startswith("fe80:")}
        self._commands.batch(router, self._router_lines(network, held, self._addresses(network, number, floating_ips)))

    def remove(self, network_id: str) -> None:
        """Remove the network's devices; none of them needs to be there."""
        links = self._commands.links(self._commands.netns) if self.host_exists() else {}
        ours = (names.inside_link(network_id), names.public_link(network_id),
                names.tunnel_link(network_id), names.cable_link(network_id), bridge_name(network_id))
        self._commands.batch(self._commands.netns, [f"link del {name}" for name in ours if name in links])
        router = self.router(network_id)
        if namespace_identity(router) is not None:
            self._commands.within("", "ip", "netns", "del", router)

    def complete(self, network: NetworkWiring, links: dict[str, dict[str, object]]) -> bool:
        """Whether a network's devices are there and joined, given the host's links."""
        joined = {names.inside_link(network.id): network.bridge}
        if self._leads_outside(network):
            joined[names.public_link(network.id)] = self._options.public_bridge
        severed = not self._options.tunnel_address and names.tunnel_link(network.id) in links
        return network.bridge in links and not severed and \
            all(links.get(link, {}).get("master") == bridge for link, bridge in joined.items())

    def marked(self) -> frozenset[str]:
        """The leading digits of the ids of all networks of which something of ours is there."""
        links = self._commands.links(self._commands.netns).values() if self.host_exists() else ()
        prefix = names.router_prefix(self._commands.netns)
        return frozenset(names.network_digits(link["ifname"]) for link in links
                         if link.get("ifalias") == self._alias) | \
            frozenset(each.removeprefix(prefix) for each in self._commands.namespaces() if each.startswith(prefix))

    def host_exists(self) -> bool:
        """Whether the host's namespace is there."""
        return not self._commands.netns or namespace_identity(self._commands.netns) is not None

    def router(self, network_id: str) -> str:
        """The namespace of a network's router."""
        return names.router_namespace(self._commands.netns, network_id)

    def snat_address(self, number: int) -> str:
        """The address outside of the router with this number; empty when there is no outside."""
        if not self._options.public_bridge:
            return ""
        network = ip_network(self._options.snat_range)
        if number + 1 >= network.num_addresses - 1:
            raise PermanentFailure(f"The range {network} has no address left for another router.",
                                   remedy="Configure a larger snat_range.")
        return str(network[number + 1])

    def _leads_outside(self, network: NetworkWiring) -> bool:
        return bool(self._options.public_bridge) and not network.physical_network

    def _host_lines(self, network: NetworkWiring, router: str, links: frozenset[str],
                    inner_links: frozenset[str]) -> list[str]:
        lines = []
        if not self._options.tunnel_address and names.tunnel_link(network.id) in links:
            lines.append(f"link del {names.tunnel_link(network.id)}")
        if network.bridge not in links:
            lines.append(f"link add {network.bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        lines.append(f'link set {network.bridge} alias "{self._alias}" addrgenmode none mtu {network.mtu} up')
        ends = [(names.inside_link(network.id), names.INSIDE, network.bridge, network.mtu)]
        if self._leads_outside(network):
            if self._options.public_bridge not in links:
                raise TransientFailure(f"The public bridge {self._options.public_bridge} is not on this host.",
                                       remedy="Prepare the host, or configure no public bridge.")
            ends.append((names.public_link(network.id), names.PUBLIC, self._options.public_bridge, 1500))
        for outer, inner, bridge, mtu in ends:
            if outer in links and inner not in inner_links:
                # A socket somewhere keeps an earlier namespace of the same name, and in it the other end.
                lines.append(f"link del {outer}")
            if outer not in links or inner not in inner_links:
                lines.append(f"link add {outer} type veth peer name {inner} netns {router}")
            lines.append(f'link set {outer} alias "{self._alias}" addrgenmode none mtu {mtu} master {bridge} up')
        return lines

    def _router_lines(self, network: NetworkWiring, held: set[tuple[str, str]],
                      wanted: set[tuple[str, str]]) -> list[str]:
        lines = ["link set lo up",
                 f"link set {names.INSIDE} address {self._router_mac(network.id)} mtu {network.mtu} up"]
        lines += [f"addr del {address} dev {device}" for device, address in sorted(held - wanted)]
        lines += [f"addr add {address} dev {device}{' nodad' if ':' in address else ''}"
                  for device, address in sorted(wanted - held)]
        if network.physical_network:
            return lines + [f"route replace {subnet.cidr} dev {names.INSIDE}" for subnet in network.subnets
                            if subnet.ip_version == 4]
        return lines + self._outside()

    def _router_mac(self, network_id: str) -> str:
        return names.router_mac(network_id, self._options.tunnel_address)

    def _addresses(self, network: NetworkWiring, number: int,
                   floating_ips: Iterable[FloatingWiring]) -> set[tuple[str, str]]:
        wanted = {(names.INSIDE, f"{names.METADATA}/32")}
        if network.physical_network:
            return wanted
        wanted |= {(names.INSIDE, f"{subnet.gateway_ip}/{ip_network(subnet.cidr).prefixlen}")
                   for subnet in network.subnets if subnet.gateway_ip and not subnet.gateway_ip.startswith("fe80:")}
        if self._options.public_bridge:
            length = ip_network(self._options.snat_range).prefixlen
            wanted.add((names.PUBLIC, f"{self.snat_address(number)}/{length}"))
            wanted |= {(names.PUBLIC, f"{floating.address}/32") for floating in floating_ips}
        return wanted

    def _outside(self) -> list[str]:
        if not self._options.public_bridge:
            return []
        gateway = ip_network(self._options.snat_range)[1]
        return [f"link set {names.PUBLIC} addrgenmode none up", f"route replace default via {gateway}",
                *(f"route replace {each} dev {names.PUBLIC}" for each in self._options.floating_ranges)]
