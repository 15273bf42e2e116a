"""A host, an outside and guests made of network namespaces, for the live network tests; all removed at the end."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from stackd.drivers.networks import hostnet
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.driver import LinuxBridge
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.model.wirings import PortWiring
from tests.live.plugging import Guest, leftovers, run


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
