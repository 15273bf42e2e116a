"""Wiring that could mean something else in a ruleset is refused for good."""

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from stackd import errors
from stackd.drivers.networks.linuxbridge.checking import check, check_outside
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.model.wirings import WiringChange
from stackd.testing.contracts.network import floating_of, group_of, network_of, port_of, rule, small_cloud

NETWORK = network_of()
PORT = port_of(NETWORK)


def subnet(**changes: Any) -> WiringChange:
    """A network whose subnet has these changes."""
    return WiringChange(networks=(evolve(NETWORK, subnets=(evolve(NETWORK.subnets[0], **changes),)),))


@pytest.mark.parametrize("change", [
    WiringChange(networks=(evolve(NETWORK, id="../../etc"),)),
    WiringChange(networks=(evolve(NETWORK, bridge="eth0"),)),
    WiringChange(networks=(evolve(NETWORK, segment=2**24),)),
    WiringChange(networks=(evolve(NETWORK, peers=("10.0.0.1 } accept",)),)),
    WiringChange(networks=(evolve(NETWORK, peers=("fd00::1",)),)),
    subnet(cidr="10.0.0.0/24 accept"),
    subnet(gateway_ip="10.0.0.1\nuser=x"),
    subnet(dns=("not an address",)),
    WiringChange(ports=(evolve(PORT, tap='x" : accept'),)),
    WiringChange(ports=(evolve(PORT, tap="a" * 16),)),
    WiringChange(ports=(evolve(PORT, mac="fa:16:3e:00:00:0g"),)),
    WiringChange(ports=(evolve(PORT, mac="fa:16:3e:00:00:05 accept"),)),
    WiringChange(ports=(evolve(PORT, addresses=("10.0.0.5, 0.0.0.0/0",)),)),
    WiringChange(ports=(evolve(PORT, addresses=("fe80::1%eth0 accept",)),)),
    WiringChange(ports=(evolve(PORT, group_ids=("x",)),)),
    WiringChange(floating_ips=(floating_of(PORT, "fd00::1"),)),
    WiringChange(groups=(group_of(rule(remote_cidr="everywhere")),)),
    WiringChange(groups=(group_of(rule(remote_group_id="}")),)),
    WiringChange(groups=(group_of(rule(protocol="tcp", port_min=0, port_max=70000)),)),
    WiringChange(groups=(group_of(rule(protocol="tcp }")),)),
    WiringChange(groups=(group_of(members={"a" * 32: ("x",)}),)),
    WiringChange(remove_networks=("../x",)),
])
def test_refused(change: WiringChange) -> None:
    """Each field that reaches a file or a rule."""
    with pytest.raises(errors.PermanentFailure):
        check(change)


def test_taken() -> None:
    """A proper change passes, whatever the host name."""
    check(small_cloud())
    check(WiringChange(ports=(evolve(PORT, hostname="a\nb"),)))


@pytest.mark.parametrize(("cidr", "gateway"), [
    ("100.64.0.0/24", "100.64.0.1"), ("100.64.0.0/24", "100.64.0.9"), ("100.0.0.0/8", "100.0.0.1")])
def test_a_subnet_that_holds_the_way_outside(cidr: str, gateway: str) -> None:
    """It is refused where there is an outside and a router that would be misled."""
    options = LinuxBridgeOptions(state=Path("/s"), public_bridge="public", snat_range="100.64.0.0/16")
    network = network_of(cidr, gateway)
    with pytest.raises(errors.PermanentFailure, match="holds 100.64.0.1"):
        check_outside(network, options)
    check_outside(network, evolve(options, public_bridge=""))
    check_outside(network_of(cidr, ""), options)
    check_outside(network_of("100.64.1.0/24", "100.64.1.1"), options)
