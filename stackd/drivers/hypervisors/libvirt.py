"""The libvirt hypervisor: real guests, with KVM where it really works and translated by QEMU elsewhere.

The compute worker calls it through ``IHypervisor``. This file only joins the parts: the image cache reads the
image service on the reactor, ``domains.py`` does everything that blocks in threads. Guests, marks and disks are all
on the host, so the driver object can be thrown away at any moment.
"""

from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from stackd.drivers.hypervisors.connection import Connection
from stackd.drivers.hypervisors.disks import GuestFolders
from stackd.drivers.hypervisors.domains import Domains, IDomains
from stackd.drivers.hypervisors.guestxml import Machine
from stackd.drivers.hypervisors.imagecache import ImageCache
from stackd.drivers.hypervisors.images import files_of
from stackd.drivers.hypervisors.kvmprobe import kvm_works
from stackd.drivers.threaded import awaitable
from stackd.interfaces.hypervisor import IHypervisor, IPausing
from stackd.interfaces.images import IImages
from stackd.model.guests import Guest, GuestSpec
from stackd.model.hosts import HostCapacity
from stackd.model.instances import GuestState

_log = Logger()
AGEING_SECONDS = 3600.0
SYSTEM_URI = "qemu:///system"


@frozen(kw_only=True)
class LibvirtOptions:
    """How guests are made. ``virt_type``: ``kvm``, ``qemu``, or ``auto`` to try KVM and take QEMU where it fails.

    ``cpu_ratio`` and ``memory_ratio`` are how often a core and a byte are given out; ``reserved_memory_mib`` stays
    with the host. ``console_bytes`` bounds each console's files, looked after each ``console_seconds``.
    ``qemu_logs`` is where libvirtd keeps what QEMU says. Images no guest needs stay ``keep_images`` seconds.
    """

    virt_type: str = "auto"
    machine: str = "pc"
    tb_cache_mib: int = 64
    cpu_ratio: float = 16.0
    memory_ratio: float = 1.5
    reserved_memory_mib: int = 512
    console_bytes: int = 1024 * 1024
    console_seconds: float = 10.0
    qemu_logs: str = "/var/log/libvirt/qemu"
    keep_images: float = 86400.0
    threads: int = 8


@implementer(IHypervisor, IPausing)
class LibvirtHypervisor:
    """The guests of one libvirtd."""

    def __init__(self, reactor: Any, images: IImages, folder: Path | str, uri: str = SYSTEM_URI,
                 options: LibvirtOptions | None = None) -> None:
        """``folder`` holds the image cache and the guests' disks; nothing is opened or started before a verb.

        ``reactor`` provides ``IReactorTime``, ``IReactorThreads`` and ``IReactorCore``.
        """
        self._options = options or LibvirtOptions()
        folder = self._folder = Path(folder).absolute()
        self._reactor = reactor
        self._pool = ThreadPool(1, self._options.threads, name="libvirt")
        folders = self._folders = GuestFolders(folder / "guests", self._options.console_bytes)
        self._domains: Any = awaitable(IDomains, Domains(
            Connection(uri), folders, folder, Path(self._options.qemu_logs)), reactor, self._pool)
        self._cache = ImageCache(folder / "images", images, self._in_thread)
        self._machine: Machine | None = None
        self._choosing = DeferredLock()
        self._bounding = LoopingCall(self._bound_consoles)
        self._bounding.clock = reactor
        self._ageing = LoopingCall(self._age_images)
        self._ageing.clock = reactor

    async def capacity(self) -> HostCapacity:
        """What the machine has, times what may be given out."""
        machine = await self._chosen_machine()
        host: HostCapacity = await self._ready().measure()
        memory_mib = int((host.memory_mib - self._options.reserved_memory_mib) * self._options.memory_ratio)
        return evolve(host, vcpus=int(host.vcpus * self._options.cpu_ratio), memory_mib=max(0, memory_mib),
                      virt_type=machine.virt_type)

    async def guests(self) -> tuple[Guest, ...]:
        """Domains with our mark, and prepared disks."""
        seen: tuple[Guest, ...] = await self._ready().guests()
        return seen

    async def look(self, id: str) -> Guest:
        """One of them."""
        guest: Guest = await self._ready().look(id)
        return guest

    async def prepare(self, spec: GuestSpec) -> None:
        """Images into the cache, then an overlay."""
        await self._fetch(spec)
        await self._ready().make_disk(spec, self._cache.path(spec.image.disk))

    async def start(self, spec: GuestSpec) -> None:
        """Kernel and ramdisk come from the cache; what was lost of it since ``prepare`` is fetched again."""
        guest = await self.look(spec.id)
        if guest.prepared and guest.state is not GuestState.RUNNING:
            await self._fetch(spec)
        kernel, ramdisk = (self._cache.path(file) if file is not None else None
                           for file in (spec.image.kernel, spec.image.ramdisk))
        await self._ready().start(spec, await self._chosen_machine(), kernel, ramdisk)

    async def shutdown(self, id: str, now: float, generation: int) -> None:
        """The power button."""
        await self._ready().shutdown(id, now, generation)

    async def destroy(self, id: str) -> None:
        """The plug."""
        await self._ready().destroy(id)

    async def remove(self, id: str) -> None:
        """Everything of it but the cached image."""
        await self._ready().remove(id)

    async def console_output(self, id: str, length: int) -> bytes:
        """The tail of what the serial port wrote."""
        output: bytes = await self._ready().console_output(id, length)
        return output

    async def pause(self, id: str) -> None:
        """Its processors stand still."""
        await self._ready().pause(id)

    async def unpause(self, id: str) -> None:
        """They go on."""
        await self._ready().unpause(id)

    async def close(self) -> None:
        """Waits for the verbs that run; no verb may follow."""
        for loop in (self._bounding, self._ageing):
            if loop.running:
                loop.stop()
        if self._pool.started:
            await self._domains.close()
            self._pool.stop()

    async def _fetch(self, spec: GuestSpec) -> None:
        for file in files_of(spec.image):
            await self._cache.ensure(file)

    def _ready(self) -> Any:
        """The blocking part, its threads running."""
        if not self._pool.started:
            self._pool.start()
            self._bounding.start(self._options.console_seconds, now=False)
            self._ageing.start(min(AGEING_SECONDS, self._options.keep_images), now=False)
        return self._domains

    def _in_thread(self, function: Any, *args: Any) -> "Deferred[object]":
        self._ready()
        return deferToThreadPool(self._reactor, self._pool, function, *args)

    async def _bound_consoles(self) -> None:
        try:
            await self._domains.bound_consoles()
        except OSError:
            _log.failure("The consoles of {folder} could not be cut short; it is tried again", folder=self._folder)

    async def _age_images(self) -> None:
        try:
            gone = await self._cache.age_out(self._reactor.seconds() - self._options.keep_images, self._folders.images)
            if gone:
                _log.info("images that no guest needs were removed: {gone}", gone=", ".join(gone))
        except OSError:
            _log.failure("The images of {folder} could not be looked through; it is tried again", folder=self._folder)

    async def _chosen_machine(self) -> Machine:
        """KVM is tried once in the life of the driver."""
        await self._choosing.acquire()
        try:
            if self._machine is None:
                kind = self._options.virt_type
                if kind == "auto":
                    kind = "kvm" if await self._in_thread(kvm_works) else "qemu"
                self._machine = Machine(virt_type=kind, machine=self._options.machine,
                                        tb_cache_mib=self._options.tb_cache_mib)
            return self._machine
        finally:
            self._choosing.release()
