"""Stamps: which workers are woken, and whether at once."""

import pytest
from twisted.internet import defer
from twisted.internet.task import Clock

from stackd.model import kinds
from stackd.model.assignments import Hello
from stackd.model.hosts import HostCapacity
from stackd.model.ids import new_id
from stackd.store import hosts
from stackd.store.database import Transaction
from stackd.testing.databases import memory_database

AT_ONCE: dict[str, float] = {}
SOON = {"within": 1.0}


@pytest.mark.parametrize(("stamps", "wakes"), [
    ([(kinds.SECURITY_GROUP, True)], {"network@h": SOON}),
    ([(kinds.SECURITY_GROUP, False)], {"network@h": AT_ONCE}),
    ([(kinds.SECURITY_GROUP, True), (kinds.PORT, False)], {"network@h": AT_ONCE}),
    ([(kinds.SECURITY_GROUP, True), (kinds.INSTANCE, False)], {"network@h": SOON, "compute@h": AT_ONCE})])
def test_who_is_woken(stamps: list[tuple[str, bool]], wakes: dict[str, dict[str, float]]) -> None:
    """A worker has a moment only when everything it is to look at has."""
    sent: dict[str, dict[str, float]] = {}
    database = memory_database(Clock(), sent.__setitem__)
    capacity = HostCapacity(vcpus=1, memory_mib=1, disk_gib=1)
    defer.ensureDeferred(database.write(hosts.hello, Hello(host="h", worker="compute", capacity=capacity), {}))

    def write(tx: Transaction) -> None:
        for kind, lazily in stamps:
            tx.stamp("h", kind, [new_id()], lazily)

    defer.ensureDeferred(database.write(write))
    assert sent == wakes


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_what_is_urgent_once_is_urgent(order: tuple[bool, bool]) -> None:
    """However often the same row was stamped lazily in the same transaction."""
    tx = Transaction.__new__(Transaction)
    tx._stamps = {}
    for lazily in order:
        tx.stamp("h", kinds.SECURITY_GROUP, ["g"], lazily)
    assert tx.take_stamps() == {"h": {(kinds.SECURITY_GROUP, "g"): False}}
