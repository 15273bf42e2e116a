"""Where the processes of a site run: all on the machine itself, as fake hosts may, or each host in a namespace.

::

    the machine --- controller's namespace --- underlay --- host 1, host 2 ...      see fabric
    198.18.x.y      198.18.x.y+1    10.77.0.254

The controller is a machine apart: hosts reach it by the underlay alone, whoever sits at the machine by a pair of
devices with two addresses that nothing else routes.
"""

import hashlib
import json
import os
from ipaddress import IPv4Network, ip_network
from pathlib import Path

import orjson
from attrs import frozen

from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.testing.lab.fabric import CONTROLLER, PUBLIC, Fabric

LOCAL = "127.0.0.1"
USERS = ip_network("198.18.0.0/15")
"""For trials of networks, so that nobody is there; cut into pairs."""
UPLINK = "stackd-up"
"""The end of the fabric's public cable in each host."""
USER_LINK = "users"


@frozen(kw_only=True)
class HostGround:
    """What a pair of host processes must be told of the network it is in."""

    netns: str = ""
    public_link: str = ""
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


class Namespaces:
    """A fabric with the control plane in a namespace beside its hosts."""

    listen = "0.0.0.0"  # noqa: S104 - nobody is in that namespace but the control plane
    inner = CONTROLLER
    external_cidr = str(PUBLIC)

    def __init__(self, folder: Path, name: str, hosts: int) -> None:
        """``name`` begins the names of all namespaces; nothing is made yet."""
        self._commands = Commands("")
        self._kept = folder / "ground.json"
        self.namespace = self._link = f"{name}ctl"
        self.fabric = Fabric(name, hosts, self._commands, controller=self.namespace)
        if not self._kept.exists():
            pair = self._free_pair(str(folder))
            self._kept.write_bytes(orjson.dumps({"near": str(pair[1]), "far": str(pair[2])}))
        self._pair: dict[str, str] = orjson.loads(self._kept.read_bytes())
        self.address = self._pair["far"]

    def prepare(self) -> None:
        """Let all namespaces and cables be there."""
        commands, namespace = self._commands, self.namespace
        if namespace not in commands.namespaces():
            commands.within("", "ip", "netns", "add", namespace)
        # Hosts reach the controller and nothing behind it.
        commands.within(namespace, "sysctl", "-qw", "net.ipv4.ip_forward=0")
        if USER_LINK not in commands.links(namespace):
            commands.batch(namespace, [
                "link set lo up", f"link add {USER_LINK} type veth peer name {self._link} netns {os.getpid()}"])
        commands.batch(namespace, [f"addr replace {self._pair['far']}/30 dev {USER_LINK}", f"link set {USER_LINK} up"])
        commands.batch("", [f"addr replace {self._pair['near']}/30 dev {self._link}", f"link set {self._link} up"])
        self.fabric.prepare()

    def remove(self) -> None:
        """Take them away; none needs to be there."""
        self.fabric.remove()
        # With its namespace it would go as well, but some time later.
        if self._link in self._commands.links(""):
            self._commands.batch("", [f"link del {self._link}"])
        if self.namespace in self._commands.namespaces():
            self._commands.within("", "ip", "netns", "del", self.namespace)

    def host(self, name: str) -> HostGround:
        """Where the host ``host-N`` is."""
        host = self.fabric.hosts[int(name.rpartition("-")[2]) - 1]
        return HostGround(netns=host.netns, public_link=UPLINK, tunnel_address=host.tunnel_address,
                          snat_range=host.snat_range)

    def _free_pair(self, seed: str) -> IPv4Network:
        """Four addresses that the machine has no route to but its default one; the same for a folder where possible."""
        routes = json.loads(self._commands.within("", "ip", "-4", "-j", "route", "show", "table", "all"))
        taken = [ip_network(route["dst"], strict=False) for route in routes if route["dst"][0].isdigit()]
        pairs = [IPv4Network((int(USERS[0]) + 4 * index, 30)) for index in range(USERS.num_addresses // 4)]
        first = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % len(pairs)
        return next(pair for pair in pairs[first:] + pairs[:first] if not any(pair.overlaps(one) for one in taken))
