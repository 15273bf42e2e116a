"""The whole cloud in one process on a Clock: real code, memory bus, sqlite in memory, fake hosts.

Nothing runs by itself: :meth:`MemoryCloud.advance` moves time, and with it every daemon. A daemon can be thrown
away and built anew at any moment while the database, the bus and the hosts' worlds stay.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from attrs import evolve
from cryptography.fernet import Fernet
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.task import Clock

from stackd.bus.disturbance import Disturbance
from stackd.bus.memory import MemoryBus
from stackd.conductor.assignments import StoredAssignments
from stackd.conductor.service import ConductorService
from stackd.core import flavors
from stackd.core.cloud import Cloud, assemble
from stackd.core.identity import Identity
from stackd.drivers.hypervisors.fake import FakeHypervisor, FakeOptions, FakeWorld
from stackd.drivers.imagestores.memory import MemoryImageStore
from stackd.drivers.networks.fake import FakeNetwork, FakeNetworkWorld
from stackd.drivers.schedulers.filter import FilterAlgorithm
from stackd.imageservice.catalogue import Catalogue
from stackd.imageservice.content import Content
from stackd.imageservice.registry import Registry
from stackd.interfaces.assignments import IAssignments
from stackd.model.callers import ADMIN, MEMBER, Caller
from stackd.model.identities import Project, Tenancy
from stackd.model.images import Image, NewImage, Visibility
from stackd.model.instances import Instance
from stackd.model.quotas import UNLIMITED
from stackd.scheduler.service import SchedulerService, SchedulerSettings
from stackd.store import defaults, quotas
from stackd.store.database import Database, Transaction
from stackd.store.executors import InlineExecutor
from stackd.store.instances import of_ids
from stackd.testing.databases import memory_database
from stackd.workers.compute import ComputeWorker
from stackd.workers.network import NetworkWorker
from stackd.workers.remote import RemoteAssignments
from stackd.workers.settings import WorkerSettings

T = TypeVar("T")
EPOCH = 1_700_000_000.0
ZONES = ("us-east-1a", "us-east-1b")


class MemoryHost:
    """A host of the cloud: two worlds that last, and the workers that care for them now."""

    def __init__(self, cloud: "MemoryCloud", name: str, zone: str, options: FakeOptions) -> None:
        """The workers start at once."""
        self._cloud = cloud
        self.name = name
        self.zone = zone
        self.guests = FakeWorld(cloud.clock, options)
        self.wiring = FakeNetworkWorld()
        self.compute = self._compute()
        self.network = self._network()

    def _compute(self) -> ComputeWorker:
        hypervisor = self._cloud.wrap("hypervisor", FakeHypervisor(self._cloud.clock, self._cloud.images, self.guests))
        return ComputeWorker(hypervisor=hypervisor, **self._shared())

    def _network(self) -> NetworkWorker:
        return NetworkWorker(driver=self._cloud.wrap("network", FakeNetwork(self.wiring)), **self._shared())

    def _shared(self) -> dict[str, Any]:
        cloud = self._cloud
        assignments: IAssignments = RemoteAssignments(cloud.bus)
        return {"host": self.name, "zone": self.zone, "assignments": assignments, "bus": cloud.bus,
                "clock": cloud.clock, "randomness": Random(cloud.seed), "settings": cloud.worker_settings}

    def start(self) -> None:
        """Start both workers."""
        self.compute.startService()
        self.network.startService()

    def rebuild_compute(self) -> None:
        """A new compute worker in place of the one thrown away."""
        self.compute = self._compute()
        self.compute.startService()

    def rebuild_network(self) -> None:
        """A new network worker in place of the one thrown away."""
        self.network = self._network()
        self.network.startService()


Wrap = Callable[[str, Any], Any]


class MemoryCloud:
    """A cloud of fake hosts; ``caller`` is a member of the project ``demo``, ``admin`` an administrator."""

    def __init__(self, hosts: int = 2, *, seed: int = 1, options: FakeOptions | None = None,
                 disturbance: Disturbance | None = None, wrap: Wrap = lambda name, part: part,
                 worker_settings: WorkerSettings | None = None,
                 scheduler_settings: SchedulerSettings | None = None) -> None:
        """``wrap(name, part)`` may replace ``hypervisor``, ``network``, ``bus`` and ``database`` by breaking ones."""
        self.clock = Clock()
        self.clock.advance(EPOCH)
        self.seed = seed
        self.wrap = wrap
        self.worker_settings = worker_settings or WorkerSettings()
        self.scheduler_settings = scheduler_settings or SchedulerSettings()
        self.bus: MemoryBus = wrap("bus", MemoryBus(self.clock, disturbance))
        self.database: Database = wrap("database", memory_database(self.clock, self.bus.wake))
        registry = Registry(self.database)
        content = Content(registry, MemoryImageStore(), self.clock, defer.maybeDeferred)
        self.images = Catalogue(registry, content)
        self.identity = Identity(
            self.database, self.clock, [Fernet.generate_key()], InlineExecutor(),
            hasher=PasswordHasher.from_parameters(CHEAPEST), on_new_project=[_new_project])
        self.core: Cloud = assemble(self.database, self.bus, self.images, self.identity, self.clock,
                                    InlineExecutor(), ZONES, self.scheduler_settings.host_gone)
        self._bootstrap(registry, content)
        self.conductor: Service = self.new_conductor()
        self.scheduler: Service = self.new_scheduler()
        self.hosts = [MemoryHost(self, f"host-{index + 1}", ZONES[index % len(ZONES)], options or FakeOptions())
                      for index in range(hosts)]

    def _bootstrap(self, registry: Registry, content: Content) -> None:
        made = self.run(self.identity.bootstrap("admin-password", "demo-password"))
        self.caller = _caller(made.demo, MEMBER)
        self.admin = _caller(made.admin, ADMIN)
        self.run(self.database.write(_seed, made.admin.project, made.demo.project))
        self.image: Image = self.run(_tiny(registry, content, self.admin))

    def new_conductor(self) -> ConductorService:
        """A conductor, not started."""
        return ConductorService(self.database, self.bus, StoredAssignments(self.database, {}), self.clock)

    def new_scheduler(self) -> SchedulerService:
        """A scheduler, not started."""
        return SchedulerService(self.database, self.bus, FilterAlgorithm(Random(self.seed)), self.clock,
                                Random(self.seed), self.scheduler_settings)

    def start(self) -> "MemoryCloud":
        """Start every daemon and let the hosts say hello."""
        self.conductor.startService()
        self.scheduler.startService()
        for host in self.hosts:
            host.start()
        self.advance(1)
        return self

    def advance(self, seconds: float, step: float = 0.05) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def until(self, condition: Callable[[], bool], patience: float = 60.0) -> None:
        """Let time pass until the condition holds; fails after ``patience`` seconds of the cloud's time."""
        deadline = self.clock.seconds() + patience
        while not condition():
            assert self.clock.seconds() < deadline, f"still not so after {patience} seconds: {condition}"
            self.clock.advance(0.05)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a use case; time passes while it waits."""
        outcome: list[Any] = []
        defer.ensureDeferred(coroutine).addBoth(outcome.append)
        for _ in range(4000):
            if outcome:
                break
            self.clock.advance(0.05)
        assert outcome, "the use case still waits after 200 seconds"
        if hasattr(outcome[0], "raiseException"):
            outcome[0].raiseException()
        result: T = outcome[0]
        return result

    def stranger(self, project: Project) -> Caller:
        """A member of another project."""
        return evolve(self.caller, project_id=project.id, project_name=project.name, account=project.account)

    def row(self, id: str) -> Instance:
        """An instance as the database has it, ended or not."""
        return self.run(self.database.read(of_ids, [id]))[id]

    def host(self, name: str) -> MemoryHost:
        """A host by name."""
        return next(host for host in self.hosts if host.name == name)


def _caller(tenancy: Tenancy, role: str) -> Caller:
    return Caller(user_id=tenancy.user.id, user_name=tenancy.user.name, project_id=tenancy.project.id,
                  project_name=tenancy.project.name, roles=frozenset({role}), request_id="req-test",
                  account=tenancy.project.account)


def _new_project(tx: Transaction, project: Project) -> None:
    defaults.new_project(tx, project, ZONES, "172.31.0.0/16")


def _seed(tx: Transaction, admin: Project, demo: Project) -> None:
    flavors.seed(tx)
    defaults.external(tx, admin.id, "203.0.113.0/24")
    for project in (admin, demo):
        quotas.change(tx, project.id, evolve(quotas.limits_of(tx, project.id), instances=UNLIMITED, cores=UNLIMITED,
                                             ram=UNLIMITED, ports=UNLIMITED))


async def _tiny(registry: Registry, content: Content, admin: Caller) -> Image:
    image = await registry.create(admin, NewImage(name="tiny", visibility=Visibility.PUBLIC, disk_format="raw",
                                                  container_format="bare"))
    return await content.upload(admin, image.id, _blocks())


async def _blocks() -> AsyncIterator[bytes]:
    yield b"\0" * 4096
