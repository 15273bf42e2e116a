"""What every network driver must do: a suite for ``INetworkDriver``.

A test module derives :class:`NetworkContract` and defines the fixture ``bench``, a :class:`Bench`; pytest does the
rest. Each bench is an empty host of its own.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import pytest
import pytest_twisted
from attrs import evolve
from zope.interface.verify import verifyObject

from stackd import errors
from stackd.interfaces.network import INetworkDriver
from stackd.model.devices import bridge_name, tap_name
from stackd.model.groups import Direction, SecurityGroupRule
from stackd.model.ids import new_id
from stackd.model.networks import Subnet
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, ObservedWiring, PortWiring, WiringChange

Test = TypeVar("Test", bound=Callable[..., Any])


class Bench(Protocol):
    """One host: every driver it makes is over the same one."""

    def driver(self) -> Any:
        """A new driver object."""


def awaiting(test: Test) -> Test:
    """Let pytest wait for a coroutine."""
    return cast(Test, pytest_twisted.ensureDeferred(test))


def network_of(cidr: str = "10.0.0.0/24", gateway: str = "10.0.0.1", **changes: Any) -> NetworkWiring:
    """A network with one subnet."""
    id = new_id()
    subnet = Subnet(id=new_id(), project_id="p", network_id=id, name="s", cidr=cidr, gateway_ip=gateway,
                    ip_version=6 if ":" in cidr else 4)
    return NetworkWiring(**{"id": id, "generation": 1, "bridge": bridge_name(id), "mtu": 1450, "subnets": (subnet,),
                            "segment": int(id[:6], 16) or 1, **changes})


def port_of(network: NetworkWiring, number: int = 5, **changes: Any) -> PortWiring:
    """A port with the address and the MAC that end in ``number``."""
    id = new_id()
    return PortWiring(**{"id": id, "generation": 1, "network_id": network.id, "tap": tap_name(id),
                         "mac": f"fa:16:3e:00:00:{number:02x}", "hostname": f"guest-{number}",
                         "addresses": (network.subnets[0].cidr.split("/")[0][:-1] + str(number),), **changes})


def group_of(*rules: SecurityGroupRule, members: dict[str, tuple[str, ...]] | None = None,
             **changes: Any) -> GroupWiring:
    """A group with these rules."""
    return GroupWiring(**{"id": new_id(), "generation": 1, "rules": rules, "members": members or {}, **changes})


def rule(direction: Direction = Direction.INGRESS, **fields: Any) -> SecurityGroupRule:
    """One rule."""
    return SecurityGroupRule(id=new_id(), group_id="g", project_id="p", direction=direction, **fields)


def floating_of(port: PortWiring, address: str = "203.0.113.10", **changes: Any) -> FloatingWiring:
    """A floating address that leads to the port's first address."""
    return FloatingWiring(**{"id": new_id(), "generation": 1, "address": address, "port_id": port.id,
                             "fixed_ip": port.addresses[0], **changes})


def small_cloud() -> WiringChange:
    """One of each kind."""
    network = network_of()
    group = group_of(rule(protocol="tcp", port_min=22, port_max=22, remote_cidr="0.0.0.0/0"))
    port = port_of(network, group_ids=(group.id,))
    return WiringChange(networks=(network,), ports=(port,), groups=(group,), floating_ips=(floating_of(port),))


def shown(change: WiringChange) -> ObservedWiring:
    """The observation of a host on which only this change was made."""
    return ObservedWiring(**{kind: {record.id: record.generation for record in getattr(change, kind)}
                             for kind in ("networks", "ports", "floating_ips", "groups")})


def removal_of(change: WiringChange) -> WiringChange:
    """The change that takes everything of ``change`` away."""
    return WiringChange(**{f"remove_{kind}": tuple(record.id for record in getattr(change, kind))
                           for kind in ("networks", "ports", "floating_ips", "groups")})


class NetworkContract:
    """Derive it and define the fixture ``bench``."""

    def test_interface(self, bench: Bench) -> None:
        """The driver provides its interface with the right signatures."""
        assert verifyObject(INetworkDriver, bench.driver())

    @awaiting
    async def test_empty(self, bench: Bench) -> None:
        """Nothing is wired at first, and an empty change changes nothing."""
        driver = bench.driver()
        await driver.apply(WiringChange())
        assert await driver.observe() == ObservedWiring()

    @awaiting
    async def test_apply_and_rebuild(self, bench: Bench) -> None:
        """What was applied is observed with its generations, also by a rebuilt driver."""
        change = small_cloud()
        driver = bench.driver()
        await driver.apply(change)
        assert await driver.observe() == shown(change)
        await driver.close()
        assert await bench.driver().observe() == shown(change)

    @awaiting
    async def test_apply_twice(self, bench: Bench) -> None:
        """The same change again is no error and changes nothing."""
        change = small_cloud()
        await bench.driver().apply(change)
        await bench.driver().apply(change)
        assert await bench.driver().observe() == shown(change)

    @awaiting
    async def test_newer_generations(self, bench: Bench) -> None:
        """A changed record replaces the one before; its new generation is observed, others keep theirs."""
        change = small_cloud()
        driver = bench.driver()
        await driver.apply(change)
        newer = WiringChange(groups=(evolve(change.groups[0], generation=7, rules=()),),
                             ports=(evolve(change.ports[0], generation=3),))
        await driver.apply(newer)
        observed = await driver.observe()
        assert observed.groups == {change.groups[0].id: 7}
        assert observed.ports == {change.ports[0].id: 3}
        assert observed.networks == shown(change).networks
        assert observed.floating_ips == shown(change).floating_ips

    @awaiting
    async def test_peers(self, bench: Bench) -> None:
        """Peers come, are told twice, change and go; a rebuilt driver observes the network each time, ports as ever."""
        change, driver = small_cloud(), bench.driver()
        await driver.apply(change)
        for generation, peers in enumerate((("192.0.2.2", "192.0.2.3"), ("192.0.2.3", "192.0.2.4"), ()), 2):
            network = evolve(change.networks[0], generation=generation, peers=peers)
            await driver.apply(WiringChange(networks=(network,)))
            await bench.driver().apply(WiringChange(networks=(network,)))
            observed = await bench.driver().observe()
            assert observed == evolve(shown(change), networks={network.id: generation})

    @awaiting
    async def test_remove_twice(self, bench: Bench) -> None:
        """What was removed is gone, and removing again is no error."""
        change = small_cloud()
        driver = bench.driver()
        await driver.apply(change)
        await driver.apply(removal_of(change))
        assert await driver.observe() == ObservedWiring()
        await driver.apply(removal_of(change))
        assert await bench.driver().observe() == ObservedWiring()

    @awaiting
    async def test_remove_unknown(self, bench: Bench) -> None:
        """Removing ids nobody knows is no error and harms nothing."""
        change = small_cloud()
        driver = bench.driver()
        await driver.apply(change)
        await driver.apply(WiringChange(remove_networks=(new_id(),), remove_ports=(new_id(),),
                                        remove_floating_ips=(new_id(),), remove_groups=(new_id(),)))
        assert await driver.observe() == shown(change)

    @awaiting
    async def test_others_left_alone(self, bench: Bench) -> None:
        """Wiring and removing one port leaves another network with the same prefix, and its port, as they were."""
        ours, theirs = small_cloud(), small_cloud()
        theirs = evolve(theirs, floating_ips=(evolve(theirs.floating_ips[0], address="203.0.113.11"),))
        driver = bench.driver()
        await driver.apply(ours)
        await driver.apply(theirs)
        more = port_of(ours.networks[0], 6)
        await driver.apply(WiringChange(ports=(more,)))
        await driver.apply(WiringChange(remove_ports=(more.id,)))
        await driver.apply(removal_of(ours))
        assert await driver.observe() == shown(theirs)

    @awaiting
    async def test_port_without_network(self, bench: Bench) -> None:
        """A port whose network is not wired is tried again later, and nothing of the change is kept."""
        driver = bench.driver()
        port = port_of(network_of())
        with pytest.raises(errors.TransientFailure):
            await driver.apply(WiringChange(ports=(port,), groups=(group_of(),)))
        assert await driver.observe() == ObservedWiring()

    @awaiting
    async def test_clean(self, bench: Bench) -> None:
        """Cleaning removes all, twice is no error, and wiring works again afterwards."""
        change = small_cloud()
        driver = bench.driver()
        await driver.apply(change)
        await bench.driver().clean()
        assert await driver.observe() == ObservedWiring()
        await driver.clean()
        await bench.driver().apply(change)
        assert await bench.driver().observe() == shown(change)
