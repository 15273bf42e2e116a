"""Hosts that are gone, and a cloud that does not hear."""

import pytest
from attrs import evolve

from stackd.model.hosts import REMOVED, WORKERS, Host, HostCapacity
from stackd.rules.outages import AT_MOST, LATELY, deaf

NOW = 1_700_000_000.0
ROOM = HostCapacity(vcpus=1, memory_mib=1, disk_gib=1)


def hosts(heard: int, missed: int, gone: int) -> list[Host]:
    """So many that are alive, silent since a minute, and silent for long."""
    silences: list[tuple[str, ...]] = [()] * heard + [WORKERS] * (missed + gone)
    seen = [NOW] * heard + [NOW - 61] * missed + [NOW - LATELY] * gone
    return [Host(id=str(n), name=str(n), zone="z", capacity=ROOM, silent=silent, silent_since=at)
            for n, (silent, at) in enumerate(zip(silences, seen, strict=True))]


@pytest.mark.parametrize(("heard", "missed", "gone", "so"), [
    (0, 0, 0, False), (3, 0, 0, False), (2, 1, 0, False), (1, 1, 0, False), (1, 2, 0, True), (0, 1, 0, True),
    (0, 0, 3, True), (1, 0, 9, False), (1, 1, 9, False)])
def test_a_cloud_is_deaf_when_most_hosts_fell_silent_lately(heard: int, missed: int, gone: int, so: bool) -> None:
    assert deaf(hosts(heard, missed, gone), NOW) is so


def test_where_nobody_is_heard_hosts_are_given_up_at_last() -> None:
    later = NOW - LATELY + AT_MOST
    assert deaf(hosts(0, 0, 3), later - 1)
    assert not deaf(hosts(0, 0, 3), later)


def test_hosts_that_were_removed_are_not_waited_for() -> None:
    assert not deaf([evolve(host, enabled=False, disabled_reason=REMOVED) for host in hosts(0, 2, 1)], NOW)
