"""A host, an outside and guests made of network namespaces, for the live network tests; all removed at the end."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Protocol

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from stackd.drivers.networks import hostnet
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.driver import LinuxBridge
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.drivers.networks.namespaces import listening_socket, within
from stackd.model.wirings import PortWiring

BLOCKED = 0.6
"""Seconds without an answer after which a packet counts as dropped."""
UDHCPC_SCRIPT = """#!/bin/sh
case "$1" in
bound|renew)
    env > "$LEASE"
    ip addr flush dev eth0
    ip addr add "$ip/$mask" dev eth0
    [ -z "$router" ] || ip route replace default via "${router%% *}"
esac
"""


def run(namespace: str, *argv: str, **changes: object) -> str:
    """What a command printed inside a namespace."""
    prefix = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
    return subprocess.run([*prefix, *argv], check=True, timeout=20, capture_output=True, text=True,
                          **changes).stdout  # type: ignore[call-overload,no-any-return]


class Plugboard(Protocol):
    """A host that guests are plugged into."""

    name: str
    folder: Path
    guests: "list[Guest]"


class LiveBench:
    """A namespace that is the host, one that is the outside, and guests."""

    def __init__(self, folder: Path, tunnel_address: str = "") -> None:
        self.tunnel_address = tunnel_address
        self.name = f"nt{token_hex(3)}"
        self.outside = f"{self.name}out"
        self.folder = folder
        self.state = folder / "network"
        run("", "ip", "netns", "add", self.outside)
        run(self.outside, "ip", "link", "set", "lo", "up")
        self.host = hostnet.HostNetOptions(netns=self.name, outside=self.outside)
        hostnet.prepare(self.host)
        self.drivers: list[LinuxBridge] = []
        self.guests: list[Guest] = []

    def driver(self, commands: Commands | None = None) -> LinuxBridge:
        """A new driver over the same host."""
        options = LinuxBridgeOptions(state=self.state, netns=self.name, public_bridge=self.host.public_bridge,
                                     dns=("192.0.2.53",), tunnel_address=self.tunnel_address)
        self.drivers.append(LinuxBridge(reactor, options, commands))
        return self.drivers[-1]

    def guest(self, port: PortWiring, bridge: str) -> "Guest":
        """A guest plugged in as the hypervisor would."""
        self.guests.append(Guest(self, port, bridge))
        return self.guests[-1]

    def leftovers(self) -> str:
        """What of a driver is still there."""
        return leftovers(self.name, self.state, (self.host.public_bridge, self.host.uplink))

    async def remove(self) -> str:
        """Remove everything the bench made; what the driver's own cleaning left behind."""
        for guest in self.guests:
            guest.remove()
        await self.driver().clean()
        left = self.leftovers()
        for driver in self.drivers:
            await driver.close()
        hostnet.remove(self.host)
        run("", "ip", "netns", "del", self.outside)
        return left + "".join(line for line in run("", "ip", "netns", "list").splitlines() if self.name in line)


def leftovers(name: str, state: Path, kept: tuple[str, ...]) -> str:
    """What of a driver is still there: links but those kept, namespaces, tables, processes and files."""
    links = [link["ifname"] for link in json.loads(run(name, "ip", "-j", "link"))
             if link["ifname"] not in ("lo", *kept)]
    namespaces = [line for line in run("", "ip", "netns", "list").splitlines() if f"{name}-r-" in line]
    servers = [line for line in run("", "ps", "-ww", "-eo", "args").splitlines()
               if line.startswith("dnsmasq") and str(state) in line]
    files = [str(path) for path in state.rglob("*")] if state.exists() else []
    return "\n".join([*links, *namespaces, *servers, run(name, "nft", "list", "ruleset"), *files]).strip()


def hosted(tmp_path: Path) -> Iterator[LiveBench]:
    """A host, and afterwards nothing of it; test modules make a fixture of it."""
    yield from hosted_with(tmp_path, "")


def hosted_with(tmp_path: Path, tunnel_address: str) -> Iterator[LiveBench]:
    """The same, with this end of tunnels."""
    made = LiveBench(tmp_path, tunnel_address)
    try:
        yield made
    finally:
        left = pytest_twisted.blockon(ensureDeferred(made.remove()))
    assert left == ""


class Guest:
    """A namespace whose ``eth0`` is plugged into a bridge by a device named as the port's tap."""

    def __init__(self, bench: "Plugboard", port: PortWiring, bridge: str) -> None:
        self.name = f"{bench.name}g{len(bench.guests)}"
        self.host = bench.name
        self.port = port
        self.lease = bench.folder / f"{self.name}.lease"
        run("", "ip", "netns", "add", self.name)
        run(bench.name, "ip", "link", "add", port.tap, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run(bench.name, "ip", "link", "set", port.tap, "master", bridge, "up")
        run(self.name, "ip", "link", "set", "eth0", "address", port.mac, "up")
        run(self.name, "ip", "link", "set", "lo", "up")

    def dhcp(self) -> dict[str, str]:
        """Ask for a lease, use it, and show what the server said."""
        script = self.lease.with_name("udhcpc.sh")
        script.write_text(UDHCPC_SCRIPT)
        script.chmod(0o755)
        run(self.name, "busybox", "udhcpc", "-i", "eth0", "-q", "-n", "-f", "-t", "10", "-T", "1", "-O", "mtu",
            "-O", "staticroutes", "-s", str(script), env={"LEASE": str(self.lease), "PATH": "/usr/sbin:/usr/bin:/bin"})
        return dict(line.split("=", 1) for line in self.lease.read_text().splitlines() if "=" in line)

    def address(self, address: str, gateway: str = "10.0.0.1") -> None:
        """Take an address without asking, as a guest with a mind of its own does."""
        run(self.name, "ip", "addr", "flush", "dev", "eth0", "scope", "global")
        run(self.name, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
        run(self.name, "ip", "route", "replace", "default", "via", gateway)

    def listen(self, port: int) -> socket.socket:
        """A listening socket; the kernel answers for it."""
        return listening_socket(self.name, "0.0.0.0", port)

    def remove(self) -> None:
        """The guest and its tap; the tap first, because a namespace dies in its own time."""
        run(self.host, "ip", "link", "del", self.port.tap)
        run("", "ip", "netns", "del", self.name)


def connects(namespace: str, address: str, port: int, patience: float = 3.0,
             source: tuple[str, int] | None = None) -> socket.socket | None:
    """A connection from inside a namespace; None when the packets are dropped."""
    def connect() -> socket.socket | None:
        try:
            return socket.create_connection((address, port), timeout=patience, source_address=source)
        except (TimeoutError, OSError):
            return None

    return within(namespace, connect)


def blocked(namespace: str, address: str, port: int) -> bool:
    """Whether nothing comes back."""
    return connects(namespace, address, port, BLOCKED) is None


def pings(namespace: str, address: str) -> bool:
    """Whether an echo request is answered."""
    try:
        run(namespace, "ping", "-c", "1", "-W", "1", address)
    except subprocess.CalledProcessError:
        return False
    return True
