"""Overlays in SQL: which hosts take part in a network, and who must hear when that changes.

A host takes part in a network while it has a port of it and has said a tunnel address. The hosts of a network send
each other its packets, so each must know all the others: when one comes or goes the network's generation rises, and
one port of it is stamped for every host that takes part; lazily, for many guests come at once. Hosts without a tunnel
address cost one short statement.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Select, func, select, update

from stackd.model import kinds
from stackd.store.chunks import chunks, gathered
from stackd.store.database import Transaction
from stackd.store.groups import MEMBER
from stackd.store.holding import hold
from stackd.store.tables.cloud import hosts
from stackd.store.tables.networks import networks, ports

Standing = set[tuple[str, str]]
_TUNNELLED = hosts.c.tunnel_address != ""


@contextmanager
def watched(tx: Transaction, network_ids: Collection[str], names: Collection[str]) -> Iterator[None]:
    """Ports of these networks come to these hosts or leave them in the body; afterwards everybody concerned is told.

    The networks' rows are held, for two that come at once would not see each other.
    """
    able = gathered(names, lambda some: tx.execute(
        select(hosts.c.name).where(hosts.c.name.in_(some), _TUNNELLED)).scalars())
    if not able:
        yield
        return
    for some in chunks(network_ids):
        hold(tx, networks, networks.c.id.in_(some))
    before = _standing(tx, network_ids, able)
    yield
    changed(tx, {network_id for network_id, _ in before ^ _standing(tx, network_ids, able)})


def moved(tx: Transaction, host: str) -> None:
    """A host said another tunnel address than before: all networks it takes part in change."""
    chosen = select(ports.c.network_id).distinct().where(ports.c.host == host, MEMBER)
    ids = list(tx.execute(chosen).scalars())
    changed(tx, ids)
    for id in ids:
        _stamp(tx, _one_port_each().where(ports.c.network_id == id, ports.c.host == host))


def changed(tx: Transaction, network_ids: Iterable[str]) -> None:
    """Other hosts than before take part in these networks: raise generations, stamp every host that does."""
    for id in sorted(set(network_ids)):
        tx.execute(update(networks).where(networks.c.id == id).values(generation=networks.c.generation + 1))
        _stamp(tx, _one_port_each().join(hosts, hosts.c.name == ports.c.host).where(
            ports.c.network_id == id, _TUNNELLED))


def of_networks(tx: Transaction, ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Network id -> its hosts -> their tunnel addresses."""
    found: dict[str, dict[str, str]] = {}
    chosen = (select(ports.c.network_id, ports.c.host, hosts.c.tunnel_address).distinct()
              .join(hosts, hosts.c.name == ports.c.host).where(MEMBER, _TUNNELLED))
    for network_id, host, address in gathered(ids, lambda some: tx.execute(
            chosen.where(ports.c.network_id.in_(some))).all()):
        found.setdefault(network_id, {})[host] = address
    return found


def _standing(tx: Transaction, network_ids: Collection[str], names: Collection[str]) -> Standing:
    """Which of these hosts take part in which of these networks; found by host, for networks may be large."""
    wanted = set(network_ids)
    chosen = select(ports.c.network_id, ports.c.host).distinct().where(MEMBER)
    return {(row.network_id, row.host) for row in gathered(
        names, lambda some: tx.execute(chosen.where(ports.c.host.in_(some))).all()) if row.network_id in wanted}


def _one_port_each() -> Select[tuple[str, str]]:
    return select(ports.c.host, func.min(ports.c.id)).where(MEMBER).group_by(ports.c.host)


def _stamp(tx: Transaction, chosen: Select[tuple[str, str]]) -> None:
    for host, port_id in tx.execute(chosen):
        tx.stamp(host, kinds.PORT, [port_id], lazily=True)
