"""Several hosts on a fabric, each with its own driver, and guests on them; all removed at the end."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.driver import LinuxBridge
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.model.wirings import GroupWiring, NetworkWiring, PortWiring, WiringChange
from stackd.testing.lab.fabric import UNDERLAY_LINK, Fabric, LabHost
from tests.live.plugging import Guest, leftovers, run


class OverlayHost:
    """One host of the fabric with its driver."""

    def __init__(self, host: LabHost, folder: Path) -> None:
        self.host = host
        self.name = host.netns
        self.folder = folder
        self.state = folder / host.netns
        self.drivers: list[LinuxBridge] = []
        self.guests: list[Guest] = []

    @property
    def tunnel(self) -> str:
        """The host's tunnel address."""
        return self.host.tunnel_address

    def driver(self, commands: Commands | None = None, **changes: str) -> LinuxBridge:
        """A new driver over the same host."""
        host = self.host
        options = LinuxBridgeOptions(**{
            "state": self.state, "netns": host.netns, "public_bridge": host.public_bridge,
            "snat_range": host.snat_range, "tunnel_address": host.tunnel_address, **changes})
        self.drivers.append(LinuxBridge(reactor, options, commands))
        return self.drivers[-1]

    async def wire(self, network: NetworkWiring, *ports: PortWiring, peers: "tuple[OverlayHost, ...]" = (),
                   groups: tuple[GroupWiring, ...] = (), generation: int = 1) -> None:
        """Wire a network with these peers and ports of it."""
        seen = evolve(network, generation=generation, peers=tuple(peer.tunnel for peer in peers))
        await self.driver().apply(WiringChange(networks=(seen,), ports=ports, groups=groups))

    def guest(self, port: PortWiring, bridge: str) -> Guest:
        """A guest plugged in as the hypervisor would."""
        self.guests.append(Guest(self, port, bridge))
        return self.guests[-1]

    async def remove(self) -> str:
        """Remove guests and wiring; what is left of them."""
        for guest in self.guests:
            guest.remove()
        await self.driver().clean()
        for driver in self.drivers:
            await driver.close()
        return leftovers(self.name, self.state, (self.host.public_bridge, "stackd-up", UNDERLAY_LINK))


class OverlayBench:
    """Three hosts and an outside."""

    def __init__(self, folder: Path) -> None:
        self.fabric = Fabric(f"nt{token_hex(3)}", 3)
        self.fabric.prepare()
        self.hosts = [OverlayHost(host, folder) for host in self.fabric.hosts]

    async def remove(self) -> str:
        """Remove everything; what was left behind."""
        left = "".join([await host.remove() for host in self.hosts])
        self.fabric.remove()
        return left + "".join(line for line in run("", "ip", "netns", "list").splitlines() if self.fabric.name in line)


def fabricated(tmp_path: Path) -> Iterator[OverlayBench]:
    """Three hosts, and afterwards nothing of them; test modules make a fixture of it."""
    made = OverlayBench(tmp_path)
    try:
        yield made
    finally:
        left = pytest_twisted.blockon(ensureDeferred(made.remove()))
    assert left == ""
