"""The wiring plan: whatever is assigned and whatever stands, one change brings a host there and a second is empty."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stackd.drivers.networks.book import Book
from stackd.model.assignments import FloatingAssignment, FloatingReport, PortAssignment, PortReport
from stackd.model.networks import WiringState
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, ObservedWiring, PortWiring, WiringChange
from stackd.rules.plans.wiring import (
    AssignedWiring,
    atoms,
    change_for,
    merged,
    seen_floating_ips,
    seen_ports,
)

GENERATIONS = st.integers(1, 3)
NETWORKS, PORTS, GROUPS = ("n1", "n2"), ("p1", "p2", "p3"), ("g1", "g2")


def network(id: str, generation: int = 1) -> NetworkWiring:
    return NetworkWiring(id=id, generation=generation, bridge=f"br{id}", mtu=1450)


def wiring(id: str, network_id: str = "n1", generation: int = 1, groups: tuple[str, ...] = ()) -> PortWiring:
    return PortWiring(id=id, generation=generation, network_id=network_id, tap=id, mac="m", addresses=("10.0.0.1",),
                      group_ids=groups)


@st.composite
def assigned(draw: Any) -> AssignedWiring:
    ports, generations = {}, {id: draw(GENERATIONS) for id in NETWORKS}
    for id in draw(st.sets(st.sampled_from(PORTS))):
        net, generation = draw(st.sampled_from(NETWORKS)), draw(GENERATIONS)
        groups = tuple(sorted(draw(st.sets(st.sampled_from(GROUPS)))))
        ports[id] = PortAssignment(id=id, generation=generation, network=network(net, generations[net]),
                                   wiring=draw(st.sampled_from([wiring(id, net, generation, groups), None])))
    wired = sorted(id for id, one in ports.items() if one.wiring)
    floating = {}
    for id in draw(st.sets(st.sampled_from(["f1", "f2"]))):
        generation = draw(GENERATIONS)
        led = FloatingWiring(id=id, generation=generation, address="192.0.2.1", port_id=draw(st.sampled_from(wired)),
                             fixed_ip="10.0.0.1") if wired else None
        floating[id] = FloatingAssignment(id=id, generation=generation, wiring=draw(st.sampled_from([led, None])))
    groups_kept = {id: GroupWiring(id=id, generation=draw(GENERATIONS)) for id in GROUPS}
    return AssignedWiring(ports=ports, floating_ips=floating, groups=groups_kept)


@st.composite
def books(draw: Any) -> Book:
    book = Book()
    book.enter(WiringChange(
        networks=tuple(network(id, draw(GENERATIONS)) for id in NETWORKS),
        ports=tuple(wiring(id, draw(st.sampled_from(NETWORKS)), draw(GENERATIONS))
                    for id in draw(st.sets(st.sampled_from((*PORTS, "stranger"))))),
        groups=tuple(GroupWiring(id=id, generation=draw(GENERATIONS))
                     for id in draw(st.sets(st.sampled_from(GROUPS))))))
    return book


@settings(max_examples=300, deadline=None)
@given(assigned(), books())
def test_one_change_brings_a_host_there(wanted: AssignedWiring, book: Book) -> None:
    before = book.observed()
    book.enter(change_for(wanted, before))
    after = book.observed()
    assert change_for(wanted, after) == WiringChange()
    assert ("stranger" in before.ports) == ("stranger" in after.ports)
    for id, one in wanted.ports.items():
        assert after.ports.get(id) == (one.generation if one.wiring else None)
    for id, floating in wanted.floating_ips.items():
        assert after.floating_ips.get(id) == (floating.generation if floating.wiring else None)


@settings(max_examples=200, deadline=None)
@given(assigned(), books())
def test_taken_apart_it_brings_about_the_same(wanted: AssignedWiring, book: Book) -> None:
    change = change_for(wanted, book.observed())
    whole, piece_by_piece = Book(**_fields(book)), Book(**_fields(book))
    whole.enter(change)
    for atom in atoms(change):
        piece_by_piece.enter(atom)
    assert piece_by_piece == whole
    assert atoms(merged(atoms(change))) == atoms(change)


def _fields(book: Book) -> dict[str, Any]:
    return {kind: dict(getattr(book, kind)) for kind in ("networks", "ports", "floating_ips", "groups")}


def test_of_two_words_about_a_network_the_newer_counts() -> None:
    ports = {id: PortAssignment(id=id, generation=1, wiring=wiring(id), network=network("n1", generation))
             for id, generation in (("p1", 2), ("p2", 1))}
    [made] = change_for(AssignedWiring(ports=ports), ObservedWiring()).networks
    assert made.generation == 2


def test_a_word_that_came_with_another_port_counts_where_the_network_is_needed() -> None:
    ports = {"p1": PortAssignment(id="p1", generation=1, wiring=wiring("p1"), network=network("n1", 1))}
    words = {id: network(id, 3) for id in NETWORKS}
    change = change_for(AssignedWiring(ports=ports, networks=words), ObservedWiring(networks={"n1": 1}))
    assert change.networks == (network("n1", 3),)


def test_what_is_told_of_ports() -> None:
    ports = {"p1": PortAssignment(id="p1", generation=5, wiring=wiring("p1", generation=5)),
             "p2": PortAssignment(id="p2", generation=5, wiring=None),
             "p3": PortAssignment(id="p3", generation=5, wiring=wiring("p3", generation=5))}
    assert list(seen_ports(AssignedWiring(ports=ports), ObservedWiring(ports={"p1": 4}))) == [
        PortReport(id="p1", observed=WiringState.WIRED, generation=4),
        PortReport(id="p2", observed=WiringState.ABSENT, generation=5)]


def test_what_is_told_of_floating_addresses() -> None:
    led = FloatingWiring(id="f1", generation=2, address="192.0.2.1", port_id="p1", fixed_ip="10.0.0.1")
    floating = {"f1": FloatingAssignment(id="f1", generation=2, wiring=led),
                "f2": FloatingAssignment(id="f2", generation=3, wiring=None),
                "f3": FloatingAssignment(id="f3", generation=3, wiring=led)}
    assert list(seen_floating_ips(AssignedWiring(floating_ips=floating), ObservedWiring(floating_ips={"f1": 2}))) == [
        FloatingReport(id="f1", observed=WiringState.WIRED, generation=2),
        FloatingReport(id="f2", observed=WiringState.ABSENT, generation=3)]
