"""What the database says at one moment, read past all daemons."""

from collections.abc import Mapping
from time import time

from attrs import frozen
from sqlalchemy import Engine, Table, func, select

from stackd.model.addresses import FloatingIP
from stackd.model.groups import SecurityGroup
from stackd.model.hosts import Host
from stackd.model.instances import Instance
from stackd.model.networks import Port
from stackd.store import addresses, groups, hosts, instances, ports
from stackd.store.database import Transaction
from stackd.store.tables.instances import instances as instance_table
from stackd.store.tables.networks import floating_ips as floating_table
from stackd.store.tables.networks import port_addresses
from stackd.store.tables.networks import ports as port_table


@frozen(kw_only=True)
class Rows:
    """One reading."""

    instances: Mapping[str, Instance]
    """All of them, also ended ones."""
    ports: tuple[Port, ...]
    """Also those being deleted."""
    floating_ips: tuple[FloatingIP, ...]
    """Also those released."""
    hosts: tuple[Host, ...]
    groups: tuple[SecurityGroup, ...]
    addresses: int
    """How many fixed addresses are taken."""

    @property
    def alive(self) -> dict[str, Instance]:
        """The instances that have not ended."""
        return {id: one for id, one in self.instances.items() if one.ended_at is None}

    def ports_of(self, id: str) -> tuple[Port, ...]:
        """The ports of an instance."""
        return tuple(port for port in self.ports if port.device_id == id)


def read(database: Engine, host_gone: float) -> Rows:
    """Read all of it from one snapshot."""
    with database.connect() as connection:
        return _read(Transaction(connection, time()), host_gone)


def _read(tx: Transaction, host_gone: float) -> Rows:
    return Rows(
        instances=instances.of_ids(tx, _ids(tx, instance_table)), ports=tuple(ports.of_ids(tx, _ids(tx, port_table))),
        floating_ips=tuple(addresses.of_ids(tx, _ids(tx, floating_table))), hosts=hosts.listed(tx, host_gone),
        groups=groups.find(tx, None),
        addresses=int(tx.execute(select(func.count()).select_from(port_addresses)).scalar_one()))


def _ids(tx: Transaction, table: Table) -> list[str]:
    return [row.id for row in tx.execute(select(table.c.id))]
