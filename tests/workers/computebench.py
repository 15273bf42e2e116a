"""One host with a compute worker over the fake hypervisor, and the cloud's end of it; for tests of the worker."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from stackd import errors
from stackd.bus.memory import MemoryBus
from stackd.drivers.hypervisors.fake import FakeHypervisor, FakeOptions, FakeWorld
from stackd.interfaces.hypervisor import IHypervisor
from stackd.model.assignments import InstanceAssignment
from stackd.model.instances import GuestState, InstanceDesired
from stackd.rules.plans.instance import PlanSettings
from stackd.testing.cloudends import HeldAssignments, instance
from stackd.workers.compute import ComputeWorker
from stackd.workers.settings import WorkerSettings

A, B = "a" * 32, "b" * 32
DELETED, RUNNING, STOPPED = InstanceDesired.DELETED, InstanceDesired.RUNNING, InstanceDesired.STOPPED


class Empty:
    """An image source whose images are empty files."""

    async def read(self, image_id: str) -> Any:
        yield b""


@implementer(IHypervisor)
class Fragile:
    """A driver whose process dies at the n-th verb, before or after it took effect; ``verbs`` are those called."""

    def __init__(self, driver: IHypervisor, dies_at: int = 0, *, after: bool = False) -> None:
        self._driver, self._dies_at, self._after = driver, dies_at, after
        self.verbs: list[str] = []
        self.refusals: dict[str, list[errors.StackdError]] = {}

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._driver, name)
        return verb if name in ("capacity", "guests", "look", "close", "console_output") else self._wrapped(name, verb)

    def _wrapped(self, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any) -> Any:
            self.verbs.append(name)
            if self.refusals.get(name):
                raise self.refusals[name].pop(0)
            if len(self.verbs) == self._dies_at and not self._after:
                await Deferred()
            result = await verb(*args)
            if len(self.verbs) == self._dies_at:
                await Deferred()
            return result
        return called


class Bench:
    """One host with a compute worker, and the cloud's end."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.cloud = HeldAssignments()
        self.bus = MemoryBus(self.clock)
        self.world = FakeWorld(self.clock, FakeOptions(**options))
        self.settings = WorkerSettings(plan=PlanSettings(shutdown_grace=30.0))
        self.start()

    def start(self, dies_at: int = 0, *, after: bool = False) -> None:
        """A new worker process on the host."""
        self.driver = Fragile(FakeHypervisor(self.clock, Empty(), self.world), dies_at, after=after)  # type: ignore
        self.worker = ComputeWorker(
            hypervisor=self.driver, host="h1", zone="z", assignments=self.cloud, bus=self.bus, clock=self.clock,
            randomness=random.Random(3), settings=self.settings)
        self.worker.startService()
        self.run(0)

    def die(self) -> None:
        """The process is gone; what it waited for never comes."""
        self.worker.stopService()

    def run(self, seconds: float) -> None:
        """Time passes, in small steps."""
        self.clock.advance(0)
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)

    def wake(self) -> None:
        """As after a commit."""
        self.bus.wake("compute@h1", {})
        self.run(0.5)

    def launch(self, id: str = A, **values: Any) -> None:
        """An instance without interfaces is placed here."""
        self.cloud.assign("h1", InstanceAssignment(instance=instance(id, "h1", **values)))
        self.wake()

    def change(self, id: str = A, **values: Any) -> None:
        """A user's action."""
        self.cloud.change(id, **values)
        self.wake()

    def seen(self, id: str = A) -> tuple[GuestState, bool]:
        """What the cloud knows: the state, and whether the generation is reached."""
        known = self.cloud.instance(id)
        return known.observed.state, known.observed.generation == known.generation

    def reported(self, id: str = A) -> list[Any]:
        """Every word about an instance."""
        return [one for report in self.cloud.reports for one in report.instances if one.id == id]


@pytest.fixture
def bench() -> Bench:
    return Bench()
