"""The Linux bridge driver passes the contract of all on the real kernel, in a namespace of the test's own."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
import pytest_twisted
from twisted.internet import reactor

from stackd.drivers.networks import hostnet
from stackd.drivers.networks.linuxbridge.driver import LinuxBridge
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.testing.contracts.network import NetworkContract


class LiveBench:
    """A namespace that is the host, and one that is the outside."""

    def __init__(self, folder: Path) -> None:
        self.name = f"nt{token_hex(3)}"
        self.outside = f"{self.name}out"
        self.state = folder / "network"
        subprocess.run(["ip", "netns", "add", self.outside], check=True, timeout=10)
        self.host = hostnet.HostNetOptions(netns=self.name, outside=self.outside)
        hostnet.prepare(self.host)
        self.drivers: list[LinuxBridge] = []

    def driver(self) -> LinuxBridge:
        """A new driver over the same host."""
        options = LinuxBridgeOptions(state=self.state, netns=self.name, public_bridge=self.host.public_bridge)
        self.drivers.append(LinuxBridge(reactor, options))
        return self.drivers[-1]

    def leftovers(self) -> str:
        """What of a driver is still there: links, namespaces, tables, processes and files."""
        links = [link["ifname"] for link in json.loads(run(self.name, "ip", "-j", "link"))
                 if link["ifname"] not in ("lo", "stackd-pub", "stackd-up")]
        namespaces = [line for line in run("", "ip", "netns", "list").splitlines() if f"{self.name}-r-" in line]
        tables = run(self.name, "nft", "list", "ruleset")
        files = [str(path) for path in self.state.rglob("*")] if self.state.exists() else []
        return "\n".join([*links, *namespaces, tables, *files]).strip()

    def remove(self) -> None:
        """Everything the bench made."""
        hostnet.remove(self.host)
        subprocess.run(["ip", "netns", "del", self.outside], check=True, timeout=10)


def run(namespace: str, *argv: str) -> str:
    """What a command printed inside a namespace."""
    prefix = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
    return subprocess.run([*prefix, *argv], check=True, timeout=20, capture_output=True, text=True).stdout


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LiveBench]:
    """A host, and afterwards nothing of it."""
    made = LiveBench(tmp_path)
    try:
        yield made
    finally:
        driver = made.driver()
        pytest_twisted.blockon(pytest_twisted.defer.ensureDeferred(driver.clean()))
        left = made.leftovers()
        for each in made.drivers:
            pytest_twisted.blockon(pytest_twisted.defer.ensureDeferred(each.close()))
        made.remove()
        assert left == ""


class TestLinuxBridge(NetworkContract):
    """The suite of every network driver."""
