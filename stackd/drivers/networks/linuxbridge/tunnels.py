"""The tunnels of a network to the other hosts that take part in it: a VXLAN port on its bridge. Blocking.

What is for everybody, or for nobody known, is sent to each peer (head-end replication); where a guest is, the port
learns from what it receives. Frames that do not fit are no loss: the kernel fragments them on the way between the
hosts, or tells the sender the size that fits when it forbids that.
"""

import json

from attrs import frozen

from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.model.wirings import NetworkWiring

EVERYBODY = "00:00:00:00:00:00"
LEAST_MTU = 1500
"""What a guest may send that does not care for its network's MTU, and still be answered."""


@frozen
class Tunnel:
    """A VXLAN port as it stands."""

    segment: int
    local: str
    bridge: str
    peers: frozenset[str]


class Tunnels:
    """The VXLAN ports on a host."""

    def __init__(self, commands: Commands, options: LinuxBridgeOptions) -> None:
        """``options`` tell the host's tunnel address."""
        self._commands = commands
        self._local = options.tunnel_address
        self._alias = names.mark(str(options.state))

    def ensure(self, network: NetworkWiring) -> None:
        """Let the network's VXLAN port be on its bridge and lead to exactly its peers."""
        link, wanted = names.tunnel_link(network.id), self._wanted(network)
        if wanted is None:
            return
        standing = self.standing(link).get(link)
        lines = []
        if standing is not None and (standing.segment, standing.local) != (wanted.segment, wanted.local):
            lines.append(f"link del {link}")
            standing = None
        if standing is None:
            lines.append(f"link add {link} type vxlan id {wanted.segment} local {wanted.local} "
                         f"dstport {names.TUNNEL_PORT} learning")
        held = standing.peers if standing else frozenset()
        if held - wanted.peers:
            # Going down forgets what was learned, which may lead to a host that left.
            lines.append(f"link set {link} down")
        lines.append(f'link set {link} alias "{self._alias}" addrgenmode none mtu {max(network.mtu, LEAST_MTU)} '
                     f"master {wanted.bridge} up")
        self._commands.batch(self._commands.netns, lines)
        self._replicate(link, held, wanted.peers)

    def complete(self, network: NetworkWiring, standing: dict[str, Tunnel]) -> bool:
        """Whether the network's VXLAN port is as it should be, given all that stand."""
        return standing.get(names.tunnel_link(network.id)) == self._wanted(network)

    def standing(self, link: str = "") -> dict[str, Tunnel]:
        """The VXLAN ports of the host by name, or one of them; a host without tunnels is not asked."""
        if not self._local:
            return {}
        only = ("dev", link) if link else ("type", "vxlan")
        links = json.loads(self._commands.answer(self._commands.netns, "ip", "-j", "-d", "link", "show", *only) or "[]")
        entries = json.loads(self._commands.answer(
            self._commands.netns, "bridge", "-j", "fdb", "show", *only[:2 * bool(link)]) or "[]") if links else []
        peers: dict[str, set[str]] = {}
        for entry in entries:
            if entry["mac"] == EVERYBODY and "dst" in entry:
                # Asked for one port, it does not name it.
                peers.setdefault(entry.get("ifname", link), set()).add(entry["dst"])
        return {each["ifname"]: Tunnel(
            each["linkinfo"]["info_data"]["id"], each["linkinfo"]["info_data"].get("local", ""),
            each.get("master", ""), frozenset(peers.get(each["ifname"], ())))
            for each in links if each.get("linkinfo", {}).get("info_kind") == "vxlan"}

    def _wanted(self, network: NetworkWiring) -> Tunnel | None:
        if not self._local or not network.segment:
            return None
        return Tunnel(network.segment, self._local, network.bridge, frozenset(network.peers))

    def _replicate(self, link: str, held: frozenset[str], wanted: frozenset[str]) -> None:
        lines = [f"fdb {verb} {EVERYBODY} dev {link} dst {peer}"
                 for verb, some in (("del", held - wanted), ("append", wanted - held)) for peer in sorted(some)]
        if lines:
            self._commands.host("bridge", "-batch", "-", feed="\n".join(lines) + "\n")
