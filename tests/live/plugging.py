"""Guests made of network namespaces, plugged into a host as a hypervisor would, and what they reach. Blocking.

Imports little: it also runs where importing is slow.
"""

import json
import socket
import subprocess
from pathlib import Path
from typing import Protocol

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


def leftovers(name: str, state: Path, kept: tuple[str, ...]) -> str:
    """What of a driver is still there: links but those kept, namespaces, tables, processes and files."""
    links = [link["ifname"] for link in json.loads(run(name, "ip", "-j", "link"))
             if link["ifname"] not in ("lo", *kept)]
    namespaces = [line for line in run("", "ip", "netns", "list").splitlines() if f"{name}-r-" in line]
    servers = [line for line in run("", "ps", "-ww", "-eo", "args").splitlines()
               if line.startswith("dnsmasq") and str(state) in line]
    files = [str(path) for path in state.rglob("*")] if state.exists() else []
    return "\n".join([*links, *namespaces, *servers, run(name, "nft", "list", "ruleset"), *files]).strip()


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
