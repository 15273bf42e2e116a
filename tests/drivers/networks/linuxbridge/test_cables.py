"""What is done to plug a network into a physical one, and what a host that cannot says."""

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from stackd import errors
from stackd.drivers.networks.linuxbridge.cables import Cables
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.model.wirings import NetworkWiring
from stackd.testing.contracts.network import network_of

ETH1 = {"ifname": "eth1", "mtu": 1500}


class Host:
    """A host with these links, that notes what it is told, or says no to each change."""

    def __init__(self, *links: dict[str, Any], refusal: str = "") -> None:
        self.links = links
        self.refusal = refusal
        self.told: list[str] = []
        self.cables = Cables(Commands("", self.run), LinuxBridgeOptions(
            state=Path("/s"), physical_links={"blue": "eth1"}))

    def run(self, argv: list[str], **given: Any) -> "CompletedProcess[str]":
        """Stands in for ``subprocess.run``."""
        if "-batch" not in argv:
            return CompletedProcess(argv, 0, json.dumps(self.links), "")
        self.told += given["input"].splitlines()
        return CompletedProcess(argv, 1 if self.refusal else 0, "", self.refusal)

    def check(self, network: NetworkWiring) -> None:
        """Whether it can be plugged in."""
        self.cables.check(network, {link["ifname"]: link for link in self.links})


def vlan(**changes: Any) -> NetworkWiring:
    """A network in VLAN 7."""
    return network_of(**{"segment": 0, "physical_network": "blue", "vlan": 7, "mtu": 1500, **changes})


def test_a_vlan_is_a_link_of_the_interface() -> None:
    network = vlan()
    port = f"svl{network.id[:11]}"
    host = Host(ETH1)
    host.check(network)
    assert host.told == [f"link add link eth1 name {port} type vlan id 7", f'link set {port} alias "stackd /s"']
    host = Host(ETH1, {"ifname": port, "link": "eth1", "mtu": 1500})
    host.cables.ensure(network)
    assert host.told == ["link set eth1 up", f"link set {port} addrgenmode none mtu 1500",
                         f"link set {port} master {network.bridge} up"]


def test_an_interface_that_was_configured_anew_has_the_vlan_then() -> None:
    network = vlan()
    port = f"svl{network.id[:11]}"
    host = Host(ETH1, {"ifname": port, "link": "eth9", "mtu": 1500})
    host.check(network)
    assert host.told[:2] == [f"link del {port}", f"link add link eth1 name {port} type vlan id 7"]


@pytest.mark.parametrize("words", ["Error: Unknown device type.", "RTNETLINK answers: Operation not supported"])
def test_a_kernel_without_vlans_says_so_for_good(words: str) -> None:
    with pytest.raises(errors.PermanentFailure, match="has no VLANs"):
        Host(ETH1, refusal=words).check(vlan())


def test_other_troubles_may_pass() -> None:
    with pytest.raises(errors.TransientFailure, match="busy"):
        Host(ETH1, refusal="RTNETLINK answers: Device or resource busy").check(vlan())


def test_tenant_networks_have_no_cable() -> None:
    host = Host()
    host.check(network_of())
    host.cables.ensure(network_of())
    assert host.told == []
    assert host.cables.complete(network_of(), {})
