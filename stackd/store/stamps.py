"""Stamps: what a host must look at again, and the wakes that tell it to.

``flush`` runs last in each writing transaction: every host stamped gets its next version under its row's lock, so
versions are in commit order; the rows stamped move up to that version. Hosts are taken in order of their names.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from stackd.model import kinds
from stackd.store.database import Transaction
from stackd.store.tables.cloud import assignments, hosts

MOMENT = 1.0
"""Seconds a host may take to look at what was stamped lazily."""

_WAKES = {kinds.INSTANCE: "compute", kinds.PORT: "network", kinds.FLOATING_IP: "network",
          kinds.SECURITY_GROUP: "network"}
"""Who is woken. The network worker learns of instances, which it shows to their guests, with what wakes it."""
_KINDS = {"compute": (kinds.INSTANCE,),
          "network": (kinds.INSTANCE, kinds.PORT, kinds.FLOATING_IP, kinds.SECURITY_GROUP)}


def kinds_of(worker: str) -> tuple[str, ...]:
    """The kinds of resource a worker (``compute`` or ``network``) is told of."""
    return _KINDS[worker]


def flush(tx: Transaction) -> None:
    """Give every stamped host its next version, move its rows up to it, and wake its workers after commit."""
    stamps = tx.take_stamps()
    if not stamps:
        return
    names = sorted(stamps)
    tx.execute(update(hosts).where(hosts.c.name == bindparam("host")).values(version=hosts.c.version + 1),
               [{"host": name} for name in names])
    versions = _versions(tx, names)
    rows = [{"host": name, "kind": kind, "resource_id": id, "version": versions[name]}
            for name in names if name in versions for kind, id in stamps[name]]
    if rows:
        tx.execute(_upsert(tx.dialect), rows)
    for name in names:
        _wake_workers(tx, name, stamps[name])


def _wake_workers(tx: Transaction, host: str, stamped: Mapping[tuple[str, str], bool]) -> None:
    """Wake the workers concerned: at once, unless all that is theirs has a moment."""
    for worker in {_WAKES[kind] for kind, _ in stamped}:
        lazily = all(lazily for (kind, _), lazily in stamped.items() if _WAKES[kind] == worker)
        tx.wake(f"{worker}@{host}", {"within": MOMENT} if lazily else {})


def forget(tx: Transaction, kind: str, ids: Iterable[str]) -> None:
    """The rows are gone for good: no host needs to hear of them again."""
    many = list(ids)
    for start in range(0, len(many), 500):
        tx.execute(assignments.delete().where(assignments.c.kind == kind,
                                              assignments.c.resource_id.in_(many[start:start + 500])))


def _versions(tx: Transaction, names: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(names), 500):
        chosen = select(hosts.c.name, hosts.c.version).where(hosts.c.name.in_(names[start:start + 500]))
        found.update((name, version) for name, version in tx.execute(chosen))
    return found


def _upsert(dialect: str) -> Any:
    if dialect == "mysql" or dialect == "mariadb":
        statement = mysql.insert(assignments)
        return statement.on_duplicate_key_update(version=statement.inserted.version)
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    upsert = make(assignments)
    return upsert.on_conflict_do_update(index_elements=["host", "kind", "resource_id"],
                                        set_={"version": upsert.excluded.version})
