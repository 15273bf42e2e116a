"""Hosts, an outside world and the fabric between them, all network namespaces of one machine. Blocking.

::

    host 1 --- underlay bridge (10.77.0.0/24) ----- host 2      management and tunnels
                         |
                    controller, if any
    host 1 --- public bridge (203.0.113.0/24) ----- host 2      floating addresses, SNAT
                         |
                      outside

Both bridges are in the fabric's namespace. Live tests use it, and so may whoever wants to try several hosts. Doing
anything twice is harmless; the names of all namespaces begin with the fabric's.
"""

from ipaddress import ip_network

from attrs import frozen

from stackd.drivers.networks import hostnet
from stackd.drivers.networks.linuxbridge.commands import Commands

UNDERLAY = ip_network("10.77.0.0/24")
PUBLIC = ip_network("203.0.113.0/24")
ROUTERS = ip_network("100.64.0.0/10")
"""Cut into one range for each host: routers of different hosts are on one public bridge."""
CONTROLLER = str(UNDERLAY[254])
UNDERLAY_LINK = "underlay"
OUTSIDE_LINK = "public"


@frozen(kw_only=True)
class LabHost:
    """A host of the fabric: its namespace, and what its network driver and worker must be told."""

    number: int
    netns: str
    public_bridge: str
    tunnel_address: str
    snat_range: str


class Fabric:
    """The namespaces of one lab."""

    def __init__(self, name: str, hosts: int, commands: Commands | None = None, controller: str = "") -> None:
        """``name`` is short; nothing is made yet. Hosts are numbered from 1.

        ``controller`` is a namespace of somebody else's that is on the underlay too, at :data:`CONTROLLER`.
        """
        self.name = name
        self._controller = controller
        self.core = f"{name}fab"
        self.outside = f"{name}out"
        self.hosts = tuple(self._host(number) for number in range(1, hosts + 1))
        self._commands = commands or Commands("")

    @property
    def gateway(self) -> str:
        """The outside's own address on the public network."""
        return str(PUBLIC[1])

    def prepare(self) -> None:
        """Let all of it be there. Raises ``TransientFailure``."""
        standing = self._commands.namespaces()
        for namespace in (self.core, self.outside):
            if namespace not in standing:
                self._commands.within("", "ip", "netns", "add", namespace)
            self._commands.batch(namespace, ["link set lo up"])
        links = self._commands.links(self.core)
        self._commands.batch(self.core, [line for bridge in ("under", "public") for line in (
            *([] if bridge in links else [f"link add {bridge} type bridge stp_state 0 forward_delay 0"]),
            f"link set {bridge} up")])
        # The fabric is a plain switch, whatever filters the machine has for bridges.
        self._commands.answer(self.core, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0",
                              "net.bridge.bridge-nf-call-ip6tables=0")
        gateways = [f"{PUBLIC[1]}/{PUBLIC.prefixlen}", *(_gateway(host.snat_range) for host in self.hosts)]
        self._plug(self.outside, OUTSIDE_LINK, "public", "outside", gateways)
        # It is the router of the public network: hosts reach each other's routers by it.
        self._commands.within(self.outside, "sysctl", "-qw", "net.ipv4.ip_forward=1",
                              f"net.ipv4.conf.{OUTSIDE_LINK}.send_redirects=0", "net.ipv4.conf.all.send_redirects=0")
        if self._controller:
            self._plug(self._controller, UNDERLAY_LINK, "under", "undercontrol", [f"{CONTROLLER}/{UNDERLAY.prefixlen}"])
        for host in self.hosts:
            self._prepare_host(host)

    def remove(self) -> None:
        """Take all of it away; none of it needs to be there. What drivers made in the hosts is theirs to clean."""
        for host in self.hosts:
            hostnet.remove(self._host_net(host))
        standing = self._commands.namespaces()
        for namespace in (self.outside, self.core):
            if namespace in standing:
                self._commands.within("", "ip", "netns", "del", namespace)

    def cut(self, host: LabHost) -> None:
        """Take a host off the underlay; its guests and its way outside stay."""
        self._commands.batch(self.core, [f"link set under{host.number} down"])

    def join(self, host: LabHost) -> None:
        """Put a host back on the underlay."""
        self._commands.batch(self.core, [f"link set under{host.number} up"])

    def _prepare_host(self, host: LabHost) -> None:
        hostnet.prepare(self._host_net(host))
        # hostnet's outer end is a port of the public bridge here, not the outside itself.
        self._commands.batch(self.core, [f"link set public{host.number} master public"])
        self._plug(host.netns, UNDERLAY_LINK, "under", f"under{host.number}",
                   [f"{host.tunnel_address}/{UNDERLAY.prefixlen}"])

    def _plug(self, namespace: str, link: str, bridge: str, port: str, addresses: list[str]) -> None:
        """A cable from a namespace to a bridge of the fabric."""
        if link not in self._commands.links(namespace):
            self._commands.batch(namespace, [f"link add {link} type veth peer name {port} netns {self.core}"])
        self._commands.batch(self.core, [f"link set {port} master {bridge} up"])
        self._commands.batch(namespace, [*(f"addr replace {address} dev {link}" for address in addresses),
                                         f"link set {link} up"])

    def _host(self, number: int) -> LabHost:
        routers = list(ROUTERS.subnets(new_prefix=16))[number]
        return LabHost(number=number, netns=f"{self.name}h{number}", public_bridge="stackd-pub",
                       tunnel_address=str(UNDERLAY[number]), snat_range=str(routers))

    def _host_net(self, host: LabHost) -> hostnet.HostNetOptions:
        return hostnet.HostNetOptions(netns=host.netns, public_bridge=host.public_bridge, outside=self.core,
                                      outside_link=f"public{host.number}", gateways=())


def _gateway(snat_range: str) -> str:
    routers = ip_network(snat_range)
    return f"{routers[1]}/{routers.prefixlen}"
