"""Very many instances that run, put into a cloud's database by the store's own functions.

They are copies of one that was launched. Hosts never hear of them, for nothing is stamped; so listing them is all
that can be measured with them.
"""

import time

from attrs import evolve
from sqlalchemy import select, update
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from bench.faces import OpenStack, connected
from bench.figures import say
from bench.launches import until_active
from bench.subject import Subject
from stackd.model.ids import new_id
from stackd.model.instances import Instance
from stackd.store import allocation, instances, ports
from stackd.store.database import Database, Transaction
from stackd.store.executors import InlineExecutor
from stackd.store.tables.instances import instances as instances_table
from stackd.store.tables.networks import ports as ports_table

AT_ONCE = 1000


async def put(subject: Subject, count: int) -> None:
    """Launch one, then copy it until there are ``count``."""
    async with connected(OpenStack, subject) as api:
        await until_active(api)
    clock = Clock()
    clock.advance(time.time())
    database = Database(f"sqlite:///{subject.state}/stackd.db", clock, InlineExecutor(), InlineExecutor(),
                        lambda address, body: None, lambda tx: None)
    failures: list[Failure] = []
    for done in range(1, count, AT_ONCE):
        defer.ensureDeferred(database.write(_copies, min(AT_ONCE, count - done))).addErrback(failures.append)
        if failures:
            failures[0].raiseException()
        if done % 10_000 == 1:
            say(f"{done - 1} of {count} rows")
    database.close()


def _copies(tx: Transaction, count: int) -> None:
    first = tx.execute(select(instances_table.c.id).order_by(instances_table.c.created_at).limit(1)).scalar_one()
    model = instances.of_ids(tx, [first])[first]
    many = [_copy(model, tx.now + index * 1e-6) for index in range(count)]
    instances.insert_all(tx, many, 1, "")
    instances.save_all(tx, [(one, True) for one in many])
    port, = ports.of_devices(tx, [model.id])[model.id]
    made = allocation.create(tx, [allocation.PortAsk(
        project_id=model.project_id, network_id=port.network_id, group_ids=tuple(group.id for group in port.groups),
        device_id=one.id, device_owner=port.device_owner, hostname=one.hostname) for one in many])
    tx.execute(update(ports_table).where(ports_table.c.id.in_([one.id for one in made])).values(
        host=model.host, observed=port.observed.value, observed_generation=1))


def _copy(model: Instance, now: float) -> Instance:
    return evolve(model, id=new_id(), reservation_id=new_id(), created_at=now, updated_at=now, launched_at=now)
