"""The whole cloud in one process on a Clock: real code, memory bus, sqlite in memory, fake hosts.

Nothing runs by itself: :meth:`MemoryCloud.advance` moves time, and with it every daemon. A daemon can be thrown
away and built anew at any moment while the database, the bus and the hosts' worlds stay. With
``STACKD_TEST_DATABASE=URL`` and ``STACKD_TEST_BROKER=URL`` in the environment it runs on those servers instead.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from copy import copy
from functools import partial
from ipaddress import IPv4Address
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
from stackd.model.callers import ADMIN, MEMBER, Caller
from stackd.model.identities import Project, Tenancy
from stackd.model.images import Image, NewImage, Visibility
from stackd.model.instances import Instance
from stackd.model.networks import Underlay
from stackd.model.quotas import UNLIMITED
from stackd.scheduler.service import SchedulerService, SchedulerSettings
from stackd.store import defaults, quotas, stamps
from stackd.store.database import Transaction
from stackd.store.executors import InlineExecutor
from stackd.store.instances import of_ids
from stackd.testing.brokered import lines_of
from stackd.testing.databases import memory_database
from stackd.testing.saboteur import Life, Saboteur
from stackd.workers.compute import ComputeWorker
from stackd.workers.network import NetworkWorker
from stackd.workers.remote import RemoteAssignments
from stackd.workers.settings import WorkerSettings

T = TypeVar("T")
EPOCH = 1_700_000_000.0
REBUILD_SECONDS = 1.0
UNDERLAY = IPv4Address("10.77.0.0")
ZONES = ("us-east-1a", "us-east-1b")


class MemoryHost:
    """A host of the cloud: two worlds that outlive the workers that care for them."""

    def __init__(self, clock: Clock, name: str, zone: str, options: FakeOptions, tunnel_address: str = "") -> None:
        """The workers are daemons of the cloud; hosts with a ``tunnel_address`` reach each other's networks."""
        self.name = name
        self.zone = zone
        self.guests = FakeWorld(clock, options)
        self.wiring = FakeNetworkWorld(tunnel_address=tunnel_address)


class MemoryCloud:
    """A cloud of fake hosts; ``caller`` is a member of the project ``demo``, ``admin`` an administrator.

    Daemons are named ``conductor``, ``scheduler``, ``compute@HOST``, ``network@HOST``; ``api`` is the core as the
    tests use it, which is not a daemon that runs but has a life to lose too.
    """

    def __init__(self, hosts: int = 2, *, seed: int = 1, options: FakeOptions | None = None,
                 disturbance: Disturbance | None = None, worker_settings: WorkerSettings | None = None,
                 scheduler_settings: SchedulerSettings | None = None, underlay: Underlay = Underlay()) -> None:
        """Nothing runs before :meth:`start`."""
        self.clock = Clock()
        self.clock.advance(EPOCH)
        self.seed = seed
        self.saboteur = Saboteur(self.clock)
        self.worker_settings = worker_settings or WorkerSettings()
        self.scheduler_settings = scheduler_settings or SchedulerSettings()
        self.underlay = underlay
        self.lines = lines_of(self.clock, disturbance)
        self.bus = self.lines.shared
        self.written = 0
        """How many transactions have written: while it stays the same the database does, too."""
        self.database = memory_database(self.clock, self.bus.wake, self._finish)
        registry = Registry(self.database)
        content = Content(registry, MemoryImageStore(), self.clock, defer.maybeDeferred)
        self.images = Catalogue(registry, content)
        self.identity = Identity(
            self.database, self.clock, [Fernet.generate_key()], InlineExecutor(),
            hasher=PasswordHasher.from_parameters(CHEAPEST), on_new_project=[_new_project])
        self._bootstrap(registry, content)
        self.hosts = [MemoryHost(self.clock, f"host-{index + 1}", ZONES[index % len(ZONES)],
                                 options or FakeOptions(), str(UNDERLAY + index + 1)) for index in range(hosts)]
        self._builders: dict[str, Callable[[Life], Service]] = {
            "conductor": self._conductor, "scheduler": self._scheduler}
        for host in self.hosts:
            self._builders[f"compute@{host.name}"] = partial(self._compute, host)
            self._builders[f"network@{host.name}"] = partial(self._network, host)
        self.lives: dict[str, Life] = {}
        self._gates: dict[int, tuple[Life, Any]] = {}
        self.daemons: dict[str, Service] = {}
        self.core = self._core()

    def _bootstrap(self, registry: Registry, content: Content) -> None:
        made = self.run(self.identity.bootstrap("admin-password", "demo-password"))
        self.caller = _caller(made.demo, MEMBER)
        self.admin = _caller(made.admin, ADMIN)
        self.run(self.database.write(_seed, made.admin.project, made.demo.project))
        self.image: Image = self.run(_tiny(registry, content, self.admin))

    def _finish(self, tx: Transaction) -> None:
        self.written += 1
        stamps.flush(tx)

    # --- daemons -----------------------------------------------------------------------------------

    def _conductor(self, life: Life) -> Service:
        database = self._database(life)
        return ConductorService(database, self._bus(life), StoredAssignments(database, {}), life.clock())

    def _scheduler(self, life: Life) -> Service:
        return SchedulerService(self._database(life), self._bus(life), FilterAlgorithm(Random(self.seed)),
                                life.clock(), Random(self.seed), self.scheduler_settings)

    def _compute(self, host: MemoryHost, life: Life) -> Service:
        driver = FakeHypervisor(self.clock, self.images, host.guests)
        return ComputeWorker(hypervisor=life.gate(driver, "hypervisor"), **self._shared(host, life))

    def _network(self, host: MemoryHost, life: Life) -> Service:
        return NetworkWorker(driver=life.gate(FakeNetwork(host.wiring), "network"),
                             tunnel_address=host.wiring.tunnel_address,
                             physical_networks=host.wiring.physical_networks, **self._shared(host, life))

    def _shared(self, host: MemoryHost, life: Life) -> dict[str, Any]:
        bus = self._bus(life)
        return {"host": host.name, "zone": host.zone, "assignments": RemoteAssignments(bus), "bus": bus,
                "clock": life.clock(), "randomness": Random(self.seed), "settings": self.worker_settings}

    def _bus(self, life: Life) -> Any:
        """The bus as this life reaches it; one connection, however often it is asked for."""
        if id(life) not in self._gates:
            self._gates = {key: found for key, found in self._gates.items() if found[0].alive}
            self._gates[id(life)] = life, life.gate(self.lines.line(life), "bus")
        return self._gates[id(life)][1]

    def _database(self, life: Life) -> Any:
        """The one database with a way in of this life's own; its wakes are calls to the outside too."""
        own = copy(self.database)
        own._wake = self._bus(life).wake
        return life.gate(own, "database")

    def _core(self) -> Cloud:
        life = Life("api", self.saboteur, lambda: None)
        self.lives["api"] = life
        return assemble(self._database(life), self._bus(life), self.images, self.identity, self.clock,
                        InlineExecutor(), ZONES, self.scheduler_settings.host_gone, self.underlay)

    def start(self) -> "MemoryCloud":
        """Start every daemon and let the hosts say hello."""
        for name in self._builders:
            self.build(name)
        self.advance(1)
        return self

    def build(self, name: str) -> None:
        """Build a daemon anew in place of the one that was thrown away."""
        if name == "api":
            self.core = self._core()
            return
        life = Life(name, self.saboteur, lambda: self._rebuild_later(name))
        self.lives[name] = life
        self.daemons[name] = self._builders[name](life)
        self.daemons[name].startService()
        self.lines.turn()

    def add(self, name: str, like: str) -> None:
        """One more daemon beside one there is, of the same kind and, where it has one, on the same host."""
        self._builders[name] = self._builders[like]
        self.build(name)

    def kill(self, name: str) -> None:
        """Throw a daemon away between two calls; :meth:`build` makes a new one."""
        self.lives[name].end()

    def _rebuild_later(self, name: str) -> None:
        self.clock.callLater(REBUILD_SECONDS, self.build, name)

    # --- time --------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time pass, from one timer to the next."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.tick(end)

    def tick(self, end: float) -> None:
        """Let time pass to the next timer, at most to ``end``."""
        due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
        now = self.clock.seconds()
        # A float that cannot tell two times apart would stand still for ever.
        self.clock.advance(max(min(due, end) - now, 1e-6))
        self.lines.turn()

    def until(self, condition: Callable[[], bool], patience: float = 60.0) -> None:
        """Let time pass until the condition holds; fails after ``patience`` seconds of the cloud's time."""
        deadline = self.clock.seconds() + patience
        while not condition():
            assert self.clock.seconds() < deadline, f"still not so after {patience} seconds"
            self.tick(deadline)

    def run(self, coroutine: Coroutine[Any, Any, T], patience: float = 200.0) -> T:
        """The result of a use case; time passes while it waits."""
        outcome: list[Any] = []
        self.ask(coroutine, outcome)
        self.until(lambda: bool(outcome), patience)
        if hasattr(outcome[0], "raiseException"):
            outcome[0].raiseException()
        result: T = outcome[0]
        return result

    def ask(self, coroutine: Coroutine[Any, Any, T], outcome: list[Any]) -> None:
        """Begin a use case; its result or failure is added to ``outcome`` when there is one."""
        defer.ensureDeferred(coroutine).addBoth(outcome.append)

    # --- looking -----------------------------------------------------------------------------------

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
    defaults.external(tx, admin.id, "172.24.4.0/24")
    for project in (admin, demo):
        quotas.change(tx, project.id, evolve(quotas.limits_of(tx, project.id), instances=UNLIMITED, cores=UNLIMITED,
                                             ram=UNLIMITED, ports=UNLIMITED))


async def _tiny(registry: Registry, content: Content, admin: Caller) -> Image:
    image = await registry.create(admin, NewImage(name="tiny", visibility=Visibility.PUBLIC, disk_format="raw",
                                                  container_format="bare"))
    return await content.upload(admin, image.id, _blocks())


async def _blocks() -> AsyncIterator[bytes]:
    yield b"\0" * 4096
