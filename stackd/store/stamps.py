"""Stamps: what a host must look at again, and the wakes that tell it to.

``flush`` runs last in each writing transaction: every host stamped gets its next version under its row's lock, so
versions are in commit order; the rows stamped move up to that version. Hosts are taken in order of their names.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import select, update

from stackd.model import kinds
from stackd.store.chunks import chunks, gathered
from stackd.store.database import Transaction
from stackd.store.many import update_many, upsert_many
from stackd.store.tables.cloud import assignments, hosts

MOMENT = 1.0
"""Seconds a host may take to look at what was stamped lazily."""

_WAKES = {kinds.INSTANCE: "compute", kinds.PORT: "network", kinds.FLOATING_IP: "network",
          kinds.SECURITY_GROUP: "network"}
"""Who is woken. The network worker learns of instances, which it shows to their guests, with what wakes it."""
_KINDS = {"compute": (kinds.INSTANCE,),
          "network": (kinds.INSTANCE, kinds.PORT, kinds.FLOATING_IP, kinds.SECURITY_GROUP)}


_USED = ("used_vcpus", "used_memory_mib", "used_disk_gib", "instances")


def kinds_of(worker: str) -> tuple[str, ...]:
    """The kinds of resource a worker (``compute`` or ``network``) is told of."""
    return _KINDS[worker]


def flush(tx: Transaction) -> None:
    """Give every stamped host its next version, move its rows up to it, and wake its workers after commit.

    What was claimed of hosts, or freed, is counted here too: all hosts of a transaction are locked in one order.
    """
    stamps, used = tx.take_stamps(), tx.take_used()
    versions = _locked(tx, stamps.keys() | used.keys())
    update_many(tx, hosts, "name", [{"name": name, **dict(zip(_USED, used[name], strict=True))}
                                    for name in sorted(used)], frozenset(_USED))
    names = [name for name in versions if name in stamps]
    for some in chunks(names):
        tx.execute(update(hosts).where(hosts.c.name.in_(some)).values(version=hosts.c.version + 1))
    rows = [{"host": name, "kind": kind, "resource_id": id, "version": versions[name] + 1}
            for name in names for kind, id in stamps[name]]
    upsert_many(tx, assignments, rows, "version")
    for name in stamps:
        _wake_workers(tx, name, stamps[name])


def _locked(tx: Transaction, names: Iterable[str]) -> dict[str, int]:
    """Hosts and their versions in order of their names, locked."""
    return dict(gathered(names, lambda some: tx.execute(
        select(hosts.c.name, hosts.c.version).where(hosts.c.name.in_(some)).order_by(hosts.c.name)
        .with_for_update(key_share=True)).all()))


def _wake_workers(tx: Transaction, host: str, stamped: Mapping[tuple[str, str], bool]) -> None:
    """Wake the workers concerned: at once, unless all that is theirs has a moment."""
    for worker in {_WAKES[kind] for kind, _ in stamped}:
        lazily = all(lazily for (kind, _), lazily in stamped.items() if _WAKES[kind] == worker)
        tx.wake(f"{worker}@{host}", {"within": MOMENT} if lazily else {})


def forget(tx: Transaction, kind: str, ids: Iterable[str]) -> None:
    """The rows are gone for good: no host needs to hear of them again."""
    for some in chunks(ids):
        tx.execute(assignments.delete().where(assignments.c.kind == kind, assignments.c.resource_id.in_(some)))
