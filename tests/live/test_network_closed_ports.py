"""What guests notice when their port, or their network, is switched off."""

import pytest
import pytest_twisted
from attrs import evolve

from stackd.model.groups import Direction
from stackd.model.wirings import WiringChange
from stackd.testing.contracts.network import floating_of, group_of, network_of, port_of, rule
from tests.live.network_bench import LiveBench, hosted
from tests.live.plugging import BLOCKED, connects, pings

ALL = (rule(Direction.EGRESS), rule())

bench = pytest.fixture(hosted)


@pytest.mark.parametrize("port_security", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_port_that_is_switched_off(bench: LiveBench, port_security: bool) -> None:
    """Nothing passes it, connections that stood neither, until it is switched on again; neighbours do not notice."""
    network, group = network_of(), group_of(*ALL)
    port = port_of(network, 5, group_ids=(group.id,), port_security=port_security)
    neighbour, third = (port_of(network, number, group_ids=(group.id,)) for number in (6, 7))
    driver = bench.driver()
    await driver.apply(WiringChange(networks=(network,), ports=(port, neighbour, third), groups=(group,),
                                    floating_ips=(floating_of(port),)))
    guests = [bench.guest(each, network.bridge) for each in (port, neighbour, third)]
    for guest in guests:
        guest.address(guest.port.addresses[0])
    listening = guests[0].listen(22)
    listening.setblocking(True)
    standing = connects(guests[1].name, "10.0.0.5", 22)
    assert standing
    served, _ = listening.accept()
    assert pings(guests[0].name, "10.0.0.6") and pings(bench.outside, "203.0.113.10")
    await driver.apply(WiringChange(ports=(evolve(port, admin_state_up=False, generation=2),)))
    assert (await driver.observe()).ports[port.id] == 2
    for source, target in ((guests[0].name, "10.0.0.6"), (guests[0].name, "10.0.0.1"), (guests[1].name, "10.0.0.5"),
                           (bench.outside, "203.0.113.10")):
        assert not pings(source, target), f"{source} reaches {target}"
    assert pings(guests[1].name, "10.0.0.7")
    served.settimeout(BLOCKED)
    standing.sendall(b"more")
    with pytest.raises(TimeoutError):
        served.recv(4)
    await driver.apply(WiringChange(ports=(evolve(port, generation=3),)))
    assert pings(guests[0].name, "10.0.0.6") and pings(bench.outside, "203.0.113.10")
    served.settimeout(10)
    assert served.recv(4) == b"more"
    for each in (listening, standing, served):
        each.close()


@pytest_twisted.ensureDeferred
async def test_a_network_that_is_switched_off(bench: LiveBench) -> None:
    """All its ports are closed, those of others are not."""
    network, other, group = network_of(), network_of(), group_of(*ALL)
    ports = [port_of(net, number, group_ids=(group.id,)) for net in (network, other) for number in (5, 6)]
    driver = bench.driver()
    await driver.apply(WiringChange(networks=(network, other), ports=tuple(ports), groups=(group,)))
    guests = [bench.guest(port, net.bridge) for net, port in zip((network, network, other, other), ports, strict=True)]
    for guest in guests:
        guest.address(guest.port.addresses[0])
    assert pings(guests[0].name, "10.0.0.6") and pings(guests[2].name, "10.0.0.6")
    await driver.apply(WiringChange(networks=(evolve(network, admin_state_up=False, generation=2),)))
    assert not pings(guests[0].name, "10.0.0.6") and not pings(guests[1].name, "10.0.0.1")
    assert pings(guests[2].name, "10.0.0.6")
    await driver.apply(WiringChange(networks=(evolve(network, generation=3),)))
    assert pings(guests[0].name, "10.0.0.6")
