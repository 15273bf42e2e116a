"""A small cloud of rows for tests of the network side: a database in memory, hosts, projects with their defaults.

Everything runs at once in the calling thread, so tests need no reactor.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import insert
from twisted.internet import defer, task

import stackd.store.tables.cloud
import stackd.store.tables.networks
from stackd.model import kinds
from stackd.model.callers import ADMIN, MEMBER, READER, Caller
from stackd.model.groups import SecurityGroup
from stackd.model.identities import Project
from stackd.model.ids import new_id
from stackd.model.networks import Network, Port
from stackd.store import defaults, groups, networks, ports, stamps
from stackd.store.database import Transaction
from stackd.testing.databases import memory_database

P = ParamSpec("P")
T = TypeVar("T")

ROLES = {ADMIN: (ADMIN, MEMBER, READER), MEMBER: (MEMBER, READER), READER: (READER,)}
ZONES = ("us-east-1a", "us-east-1b")


def finish(coroutine: Coroutine[Any, Any, T], clock: task.Clock | None = None) -> T:
    """The result of a coroutine that waits for nothing outside but this clock; its error is raised."""
    outcome: list[Any] = []
    defer.ensureDeferred(coroutine).addBoth(outcome.append)
    while clock is not None and not outcome and clock.getDelayedCalls():
        clock.advance(0.1)
    assert outcome, "the coroutine still waits"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    result: T = outcome[0]
    return result


class Cloud:
    """A database in memory with every table; ``stamped`` gathers what the last write told each host."""

    def __init__(self) -> None:
        """Empty but for the tables."""
        self.clock = task.Clock()
        self.clock.advance(1_700_000_000)
        self.stamped: dict[str, set[tuple[str, str]]] = {}
        self.database = memory_database(self.clock, finish=self._finish)

    def write(self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction function a moment later than the one before, and return its result."""
        self.clock.advance(0.001)
        return finish(self.database.write(fn, *args, **kwargs), self.clock)

    def read(self, fn: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a reading function and return its result."""
        return finish(self.database.read(fn, *args, **kwargs))

    def project(self, name: str = "demo") -> Project:
        """A new project with its default group and network."""
        project = Project(id=new_id(), name=name, account="123456789012")
        self.write(defaults.new_project, project, ZONES, "172.31.0.0/16")
        return project

    def public(self, cidr: str = "203.0.113.0/24") -> Network:
        """The external network."""
        return self.write(defaults.external, new_id(), cidr)

    def hosts(self, *names: str) -> None:
        """Add hosts, so that their stamps are kept."""
        with self.database.engine.begin() as connection:
            connection.execute(insert(stackd.store.tables.cloud.hosts), [{
                "id": new_id(), "name": name, "zone": ZONES[0], "capacity": {}, "vcpus": 1, "memory_mib": 1,
                "disk_gib": 1} for name in names])

    def instance_port(self, project: Project, host: str = "", group_ids: tuple[str, ...] = (), **ask: Any) -> Port:
        """A port of a new instance on the project's default network, placed when a host is named."""
        network_id = ask.pop("network_id", "") or self.default_network(project).id
        device_id = ask.pop("device_id", "") or new_id()
        port = self.write(ports.create, [ports.PortAsk(
            project_id=project.id, network_id=network_id, device_id=device_id, group_ids=group_ids, **ask)])[0]
        if host:
            self.write(ports.place, {device_id: host})
        return port

    def default_network(self, project: Project) -> Network:
        """The default network of a project."""
        return self.read(default_network, project.id)

    def default_group(self, project: Project) -> SecurityGroup:
        """The ``default`` group of a project."""
        return self.read(lambda tx: groups.get(tx, defaults.demand(
            kinds.SECURITY_GROUP, defaults.of_project(tx, project.id)[1])))

    def _finish(self, tx: Transaction) -> None:
        self.stamped = {host: set(rows) for host, rows in tx._stamps.items()}
        stamps.flush(tx)


def default_network(tx: Transaction, project_id: str) -> Network:
    """The default network of a project."""
    return networks.get(tx, defaults.demand(kinds.NETWORK, defaults.of_project(tx, project_id)[0]))


def caller(project: Project | str = "", role: str = MEMBER) -> Caller:
    """Somebody acting in a project."""
    project_id = project if isinstance(project, str) else project.id
    return Caller(user_id=new_id(), user_name="alice", project_id=project_id, project_name="demo",
                  roles=frozenset(ROLES[role]), request_id=f"req-{new_id()}")
