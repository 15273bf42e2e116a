"""The words for phases, complete."""

from itertools import product

import pytest

from stackd.api.openstack.compute.statuses import KNOWN, STATUSES, TABLE, phases_of
from stackd.model.faults import Steady, Transition


def test_every_phase_has_its_words() -> None:
    """Nothing that rules can derive is missing."""
    assert set(TABLE) == set(product(Steady, Transition))
    assert STATUSES <= KNOWN


@pytest.mark.parametrize(("steady", "transition", "expected"), [
    (Steady.BUILDING, Transition.SCHEDULING, ("BUILD", "building", "scheduling", 0)),
    (Steady.BUILDING, Transition.SPAWNING, ("BUILD", "building", "spawning", 0)),
    (Steady.ACTIVE, Transition.NONE, ("ACTIVE", "active", None, 1)),
    (Steady.ACTIVE, Transition.POWERING_OFF, ("ACTIVE", "active", "powering-off", 1)),
    (Steady.STOPPED, Transition.NONE, ("SHUTOFF", "stopped", None, 4)),
    (Steady.STOPPED, Transition.POWERING_ON, ("SHUTOFF", "stopped", "powering-on", 4)),
    (Steady.ACTIVE, Transition.REBOOTING, ("REBOOT", "active", "rebooting", 1)),
    (Steady.STOPPED, Transition.REBOOTING_HARD, ("HARD_REBOOT", "stopped", "rebooting_hard", 4)),
    (Steady.ACTIVE, Transition.DELETING, ("ACTIVE", "active", "deleting", 1)),
    (Steady.ERROR, Transition.NONE, ("ERROR", "error", None, 0)),
    (Steady.DELETED, Transition.NONE, ("DELETED", "deleted", None, 0)),
])
def test_words(steady: Steady, transition: Transition, expected: tuple[str, str, str | None, int]) -> None:
    """Those that clients wait for."""
    found = TABLE[steady, transition]
    assert (found.status, found.vm_state, found.task_state, found.power_state) == expected


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_filters_find_what_shows_the_status(status: str) -> None:
    """And nothing else."""
    found = phases_of(frozenset({status}))
    assert {TABLE[Steady(steady), Transition(transition)].status for steady, transition in found} == {status}
    assert len(found) == sum(standing.status == status for standing in TABLE.values())
