"""The network worker wires what is assigned, takes away what is not, and lets nothing poison the rest."""

import random
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.drivers.networks.fake import FakeNetwork, FakeNetworkWorld
from stackd.model.assignments import FloatingAssignment, InstanceAssignment, PortAssignment
from stackd.model.networks import WiringState
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, ObservedWiring, PortWiring, WiringChange
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.workers.network import NetworkWorker

NET = NetworkWiring(id="n1", generation=1, bridge="sbrn1", mtu=1450)


def port(id: str, generation: int = 1, address: str = "10.0.0.5", network: NetworkWiring = NET,
         groups: tuple[str, ...] = ("g1",)) -> PortAssignment:
    """A port to be wired."""
    wiring = PortWiring(id=id, generation=generation, network_id=network.id, tap=f"tap{id}", mac="02:00:00:00:00:01",
                        addresses=(address,), instance_id=f"i-{id}", group_ids=groups)
    return PortAssignment(id=id, generation=generation, wiring=wiring, network=network)


def floating(id: str, port_id: str | None, generation: int = 1) -> FloatingAssignment:
    """A floating address, to be withdrawn without a port."""
    wiring = FloatingWiring(id=id, generation=generation, address="192.0.2.7", port_id=port_id,
                            fixed_ip="10.0.0.5") if port_id else None
    return FloatingAssignment(id=id, generation=generation, wiring=wiring)


def guests(*ids: str) -> tuple[InstanceAssignment, ...]:
    """Instances of the host."""
    return tuple(InstanceAssignment(instance=instance(id, "h1")) for id in ids)


class Refusing(FakeNetwork):
    """Refuses changes that name certain ids; ``applied`` are the changes brought about."""

    def __init__(self, world: FakeNetworkWorld) -> None:
        super().__init__(world)
        self.poison: dict[str, errors.DriverFailure] = {}
        self.applied: list[WiringChange] = []
        self.asked = 0

    async def apply(self, change: WiringChange) -> None:
        self.asked += 1
        for one in (*change.networks, *change.ports, *change.floating_ips, *change.groups):
            if one.id in self.poison:
                raise self.poison[one.id]
        await super().apply(change)
        self.applied.append(change)


class Dying(FakeNetwork):
    """Its process dies at the n-th change, before or after it took effect: the call does not come back."""

    def __init__(self, world: FakeNetworkWorld, dies_at: int, after: bool) -> None:
        super().__init__(world)
        self._left, self._after = dies_at, after

    async def apply(self, change: WiringChange) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            await Deferred()
        await super().apply(change)
        if self._left == 0:
            await Deferred()


class Bench:
    """One host with a network worker, and the cloud's end."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.cloud = HeldAssignments()
        self.bus = MemoryBus(self.clock)
        self.world = FakeNetworkWorld()
        self.start()

    def start(self, driver: FakeNetwork | None = None) -> None:
        """A new worker process."""
        self.driver = Refusing(self.world)
        self.worker = NetworkWorker(
            driver=driver or self.driver, host="h1", zone="z", assignments=self.cloud, bus=self.bus, clock=self.clock,
            randomness=random.Random(3), tunnel_address="10.77.0.1")
        self.worker.startService()
        self.run(0)

    def run(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(0)
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)

    def assign(self, *rows: Any) -> None:
        """Rows are stamped and the host is woken."""
        for row in rows:
            self.cloud.assign("h1", row)
        self.bus.wake("network@h1", {})
        self.run(0)

    def guest_at(self, address: str, network: str = "n1") -> str | None:
        """Whom the metadata service would answer."""
        found = self.worker.guest_at(network, address)
        return None if found is None else found.instance.id

    def said(self, id: str) -> list[tuple[WiringState, int]]:
        """Every word about a port."""
        return [(one.observed, one.generation) for report in self.cloud.reports for one in report.ports if one.id == id]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_port_is_wired_with_all_it_needs_and_told_once(bench: Bench) -> None:
    bench.assign(port("p1"), GroupWiring(id="g1", generation=4), GroupWiring(id="g2", generation=1))
    assert set(bench.world.networks) == {"n1"}
    assert set(bench.world.ports) == {"p1"}
    assert set(bench.world.groups) == {"g1"}  # no port here is a member of g2
    bench.run(300)
    assert bench.said("p1") == [(WiringState.WIRED, 1)]
    assert len(bench.driver.applied) == 1


def test_what_comes_together_is_applied_together(bench: Bench) -> None:
    bench.assign(*(port(f"p{n}", address=f"10.0.0.{n}") for n in range(50)), GroupWiring(id="g1", generation=1))
    assert len(bench.driver.applied) == 1
    assert len(bench.cloud.reports) == 1


def test_only_what_changed_is_applied_again(bench: Bench) -> None:
    bench.assign(port("p1"), port("p2", address="10.0.0.6"), GroupWiring(id="g1", generation=1))
    bench.assign(GroupWiring(id="g1", generation=2))
    change = bench.driver.applied[-1]
    assert (len(change.groups), change.ports, change.networks) == (1, (), ())
    bench.assign(port("p2", generation=2, address="10.0.0.6"))
    assert [one.id for one in bench.driver.applied[-1].ports] == ["p2"]
    assert bench.said("p2") == [(WiringState.WIRED, 1), (WiringState.WIRED, 2)]


def test_the_last_port_takes_network_and_groups_along(bench: Bench) -> None:
    other = NetworkWiring(id="n2", generation=1, bridge="sbrn2", mtu=1450)
    bench.assign(port("p1"), port("p2", network=other, groups=()), GroupWiring(id="g1", generation=1))
    bench.assign(PortAssignment(id="p1", generation=2, wiring=None, network=NET))
    assert set(bench.world.ports) == {"p2"}
    assert set(bench.world.networks) == {"n2"}
    assert not bench.world.groups
    assert bench.said("p1")[-1] == (WiringState.ABSENT, 2)


def test_the_newest_word_about_a_network_outlives_the_port_it_came_with(bench: Bench) -> None:
    newer = evolve(NET, generation=2, peers=("10.77.0.2",))
    bench.assign(port("p1"), port("p2", address="10.0.0.6"))
    bench.assign(port("p2", address="10.0.0.6", network=newer))
    assert bench.world.networks["n1"] == newer
    bench.assign(PortAssignment(id="p2", generation=2, wiring=None, network=newer))
    bench.run(300)
    assert set(bench.world.ports) == {"p1"} and bench.world.networks["n1"] == newer
    bench.assign(port("p3", address="10.0.0.7"))
    assert bench.world.networks["n1"] == newer, "an older word that comes late changes nothing"


def test_it_says_where_its_networks_are_reached(bench: Bench) -> None:
    assert bench.cloud.hellos[-1].tunnel_address == "10.77.0.1"


def test_what_is_gone_is_told_twice_and_then_forgotten(bench: Bench) -> None:
    bench.assign(port("p1"))
    bench.assign(PortAssignment(id="p1", generation=2, wiring=None))
    bench.run(600)
    assert bench.said("p1")[1:] == [(WiringState.ABSENT, 2)] * 2


def test_a_floating_address_comes_and_goes(bench: Bench) -> None:
    bench.assign(port("p1"), floating("f1", "p1"))
    assert bench.world.floating_ips["f1"].port_id == "p1"
    assert bench.cloud.floating_ips["f1"].observed is WiringState.WIRED
    bench.assign(floating("f1", None, generation=2))
    assert not bench.world.floating_ips
    word = bench.cloud.floating_ips["f1"]
    assert (word.observed, word.generation) == (WiringState.ABSENT, 2)


def test_a_floating_address_that_was_never_here_is_told_absent(bench: Bench) -> None:
    bench.assign(floating("f1", None))
    assert bench.cloud.floating_ips["f1"].observed is WiringState.ABSENT


def test_a_new_worker_over_the_same_host_changes_nothing(bench: Bench) -> None:
    bench.assign(port("p1"), GroupWiring(id="g1", generation=1), floating("f1", "p1"))
    bench.worker.stopService()
    bench.start()
    bench.run(1)
    assert bench.driver.applied == []
    assert bench.cloud.fetches[-1].held == ("p1", "f1")


def test_ports_nobody_assigned_keep_what_they_stand_on(bench: Bench) -> None:
    other = NetworkWiring(id="n2", generation=1, bridge="sbrn2", mtu=1450)
    stranger = port("p9", network=other, groups=("g9",)).wiring
    assert stranger is not None
    bench.world.enter(WiringChange(networks=(other,), groups=(GroupWiring(id="g9", generation=1),), ports=(stranger,)))
    bench.assign(port("p1"), GroupWiring(id="g1", generation=1))
    bench.assign(PortAssignment(id="p1", generation=2, wiring=None))
    assert set(bench.world.ports) == {"p9"}
    assert {"n2"} <= set(bench.world.networks)
    assert {"g9"} <= set(bench.world.groups)


def test_one_poisoned_port_gets_a_fault_and_all_others_are_wired(bench: Bench) -> None:
    bench.driver.poison["p3"] = errors.PermanentFailure("The tap's name is taken.")
    bench.assign(*(port(f"p{n}", address=f"10.0.0.{n}") for n in range(20)), GroupWiring(id="g1", generation=1))
    assert set(bench.world.ports) == {f"p{n}" for n in range(20)} - {"p3"}
    fault = bench.cloud.ports["p3"].fault
    assert fault is not None
    assert (fault.code.value, fault.generation) == ("network", 1)
    assert "taken" in fault.message
    assert all(word.fault is None for id, word in bench.cloud.ports.items() if id != "p3")
    bench.driver.poison.clear()
    bench.assign(port("p3", generation=2, address="10.0.0.3"))
    assert bench.said("p3")[-1] == (WiringState.WIRED, 2)


def test_a_poisoned_port_is_tried_again_ever_more_seldom_until_it_is_wired(bench: Bench) -> None:
    bench.driver.poison["p1"] = errors.PermanentFailure("Its physical network is away.")
    bench.assign(port("p1"))
    bench.run(3000)
    tries = [word.fault.at for report in bench.cloud.reports for word in report.ports if word.fault]
    pauses = [later - earlier for earlier, later in pairwise(tries) if later != earlier]
    assert pauses == pytest.approx([60, 120, 240, 480, 900, 900], abs=2)
    bench.driver.poison.clear()
    bench.run(902)
    assert bench.said("p1")[-1] == (WiringState.WIRED, 1)
    assert bench.cloud.ports["p1"].fault is None


def test_a_poisoned_port_is_tried_again_when_its_instance_is_asked_for_anew(bench: Bench) -> None:
    bench.driver.poison["p1"] = errors.PermanentFailure("Its physical network is away.")
    started, = guests("i-p1")
    bench.assign(port("p1"), started)
    bench.driver.poison.clear()
    bench.assign(started)
    assert bench.said("p1") == [(WiringState.ABSENT, 1)]
    bench.assign(evolve(started, instance=evolve(started.instance, generation=2)))
    assert bench.said("p1")[-1] == (WiringState.WIRED, 1)


def test_a_poisoned_network_is_the_fault_of_its_ports(bench: Bench) -> None:
    other = NetworkWiring(id="n2", generation=1, bridge="sbrn2", mtu=1450)
    bench.driver.poison["n2"] = errors.PermanentFailure("No such segment.")
    bench.assign(port("p1"), port("p2", network=other))
    assert set(bench.world.ports) == {"p1"}
    assert bench.cloud.ports["p2"].fault is not None
    bench.run(5)
    assert bench.cloud.ports["p1"].observed is WiringState.WIRED


def test_what_fails_in_passing_is_tried_again_as_a_whole(bench: Bench) -> None:
    bench.driver.poison["p1"] = errors.TransientFailure("The kernel is busy.")
    bench.assign(port("p1"))
    assert bench.driver.asked == 1
    bench.driver.poison.clear()
    bench.run(10)
    assert bench.said("p1") == [(WiringState.WIRED, 1)]


def test_patience_begins_anew_after_a_success(bench: Bench) -> None:
    for generation in (1, 2, 3):
        bench.driver.poison["p1"] = errors.TransientFailure("The kernel is busy.")
        bench.assign(port("p1", generation), port("p2", generation, address="10.0.0.6"))
        bench.driver.poison.clear()
        bench.run(10)
        assert len(bench.driver.applied[-1].ports) == 2  # never taken apart


def test_what_does_not_change_is_told_again_after_a_long_time(bench: Bench) -> None:
    bench.assign(port("p1"))
    bench.run(1000)
    assert bench.said("p1") == [(WiringState.WIRED, 1)] * 2


def test_what_goes_on_failing_in_passing_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.driver.poison["p1"] = errors.TransientFailure("The kernel is busy.")
    bench.assign(port("p1"), port("p2", address="10.0.0.6"))
    bench.run(20)
    assert bench.said("p2") == [(WiringState.WIRED, 1)]
    assert bench.said("p1") == []
    bench.driver.poison.clear()
    bench.run(60)
    assert bench.said("p1") == [(WiringState.WIRED, 1)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_a_worker_that_dies_at_any_change_is_replaced(bench: Bench, dies_at: int, after: bool) -> None:
    bench.worker.stopService()
    bench.start(Dying(bench.world, dies_at, after))
    rounds: list[list[Any]] = [
        [port("p1"), GroupWiring(id="g1", generation=1)],
        [floating("f1", "p1"), port("p1", generation=2)],
        [floating("f1", None, generation=2), PortAssignment(id="p1", generation=3, wiring=None)]]
    for number, rows in enumerate(rounds, 1):
        bench.assign(*rows)
        if number == dies_at:
            bench.worker.stopService()
            bench.start()
        bench.run(5)
        assert bench.said("p1")[-1] == (WiringState.ABSENT if number == 3 else WiringState.WIRED, number)
    assert bench.world.observed() == ObservedWiring()
    assert bench.cloud.floating_ips["f1"].observed is WiringState.ABSENT


def test_who_has_an_address(bench: Bench) -> None:
    bench.assign(port("p1"), port("p2", address="10.0.0.6"), *guests("i-p1", "i-p2", "i-elsewhere"))
    assert bench.guest_at("10.0.0.6") == "i-p2"
    bench.assign(port("p2", generation=2, address="10.0.0.7"))
    assert bench.guest_at("10.0.0.6") is None
    assert bench.guest_at("10.0.0.7") == "i-p2"
    assert bench.guest_at("10.0.0.5", network="n2") is None
    bench.assign(PortAssignment(id="p1", generation=2, wiring=None, network=NET))
    assert bench.guest_at("10.0.0.5") is None


def test_what_guests_are_told_is_not_older_than_a_heartbeat(bench: Bench) -> None:
    bench.assign(port("p1"), *guests("i-p1"))
    bench.cloud.change("i-p1", name="db")
    bench.run(11)
    found = bench.worker.guest_at("n1", "10.0.0.5")
    assert found is not None
    assert found.instance.name == "db"


def test_who_asks_is_not_known_before_the_cloud_was_heard(bench: Bench) -> None:
    bench.assign(port("p1"), *guests("i-p1"))
    bench.worker.stopService()
    bench.cloud.failures = [errors.Unavailable("The conductor is away.", remedy="Wait.") for _ in range(3)]
    bench.start()
    with pytest.raises(errors.Unavailable):
        bench.guest_at("10.0.0.5")
    bench.run(60)
    assert bench.guest_at("10.0.0.5") == "i-p1"
