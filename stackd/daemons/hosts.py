"""The workers of the hosts this process plays: fake ones in any number, or one real one."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from zope.interface import implementer

from stackd import errors
from stackd.config.physical import physical_links
from stackd.config.sections import MEMORY_BUS, Config
from stackd.daemons.hostlock import HostLocks
from stackd.daemons.metadata import host_service
from stackd.daemons.plainparts import PlainParts
from stackd.daemons.upkeep import Upkeep
from stackd.drivers import loading
from stackd.interfaces.hypervisor import IHypervisor
from stackd.interfaces.measuring import IChecked
from stackd.interfaces.network import INetworkDriver, IRouters
from stackd.rules.plans.instance import PlanSettings
from stackd.workers.compute import ComputeWorker
from stackd.workers.network import NetworkWorker
from stackd.workers.remote import RemoteAssignments
from stackd.workers.settings import WorkerSettings

FAKE = "fake"
NOBODY = "0" * 32


@frozen(kw_only=True)
class HostPlace:
    """Where a real host's things are: its libvirtd, its namespace and its folder."""

    folder: Path
    libvirt_uri: str = "qemu:///system"
    qemu_logs: str = "/var/log/libvirt/qemu"
    netns: str = ""
    public_bridge: str = ""
    ensure: Callable[[], str] | None = None
    """Starts again what has ended of the host's own, and names it; blocks. None where there is nothing to care for."""


def host_names(config: Config) -> tuple[str, ...]:
    """The names of the hosts of this process."""
    first = config.hosts.name or socket.gethostname()
    if config.hosts.number == 1:
        return (first,)
    if FAKE not in (config.compute.driver, config.network.driver):
        raise errors.BadConfiguration("A process plays one real host only.", remedy="Set number = 1 in [hosts].")
    width = len(str(config.hosts.number))
    return tuple(f"{first}-{index + 1:0{width}}" for index in range(config.hosts.number))


def tunnel_address(config: Config) -> str:
    """Where other hosts reach this one's networks; fake networks need no tunnels."""
    return "" if config.network.driver == FAKE else config.network.tunnel_address


def worker_settings(config: Config) -> WorkerSettings:
    """How the workers of the configuration pace themselves."""
    return WorkerSettings(heartbeat=config.hosts.heartbeat, resync=config.hosts.resync,
                          builds=config.compute.concurrency,
                          plan=PlanSettings(shutdown_grace=config.compute.shutdown_grace))


@implementer(IChecked)
class HostServices(MultiService):
    """Workers, and the drivers and locks they are done with when all have stopped."""

    def __init__(self, locks: HostLocks) -> None:
        """Empty."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.locks = locks
        self.drivers: list[IHypervisor | INetworkDriver] = []

    def checks(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """Whether the hypervisor answers: it is asked for a guest that nobody has."""
        async def look() -> str:
            for driver in self.drivers:
                if IHypervisor.providedBy(driver):
                    await driver.look(NOBODY)
            return ""

        return {"hypervisor": look} if any(map(IHypervisor.providedBy, self.drivers)) else {}

    def stopService(self) -> "Deferred[None]":
        """Finish the running steps, then let go of the drivers; what they made stays."""
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        await super().stopService()  # type: ignore[no-untyped-call]
        for driver in self.drivers:
            await driver.close()
        self.locks.release()


def host_services(parts: PlainParts, place: HostPlace, compute: bool = True, network: bool = True) -> HostServices:
    """The workers of every host of this process; raises ``BadConfiguration`` while another process has them."""
    kinds = ("compute",) * compute + ("network",) * network
    services = HostServices(HostLocks(place.folder, host_names(parts.config)[0], kinds))
    try:
        if place.ensure is not None:
            Upkeep(place.ensure, parts.threads, parts.reactor).setServiceParent(services)
        _add_workers(services, parts, place, compute, network)
    except BaseException:
        services.locks.release()
        raise
    return services


def _add_workers(services: HostServices, parts: PlainParts, place: HostPlace, compute: bool, network: bool) -> None:
    zones = parts.config.cloud.zones
    for index, name in enumerate(host_names(parts.config)):
        shared: dict[str, Any] = {
            "host": name, "zone": zones[index % len(zones)], "assignments": RemoteAssignments(parts.bus),
            "bus": parts.bus, "clock": parts.reactor, "randomness": parts.random,
            "settings": worker_settings(parts.config)}
        driver = network_driver(parts, place, name, services.locks.descriptors) if network else None
        wiring = NetworkWorker(
            driver=driver, tunnel_address=tunnel_address(parts.config),
            physical_networks=tuple(physical_links(parts.config.network.physical_networks)), **shared) \
            if driver is not None else None
        guests = ComputeWorker(hypervisor=hypervisor(parts, place, name), **shared) if compute else None
        if wiring is not None:
            wiring.setServiceParent(services)
            services.drivers.append(wiring.driver)
        if guests is not None:
            guests.setServiceParent(services)
            services.drivers.append(guests.hypervisor)
        if wiring is not None and IRouters.providedBy(driver):
            host_service(parts, driver, wiring, shared["assignments"]).setServiceParent(services)


def fake_folder(config: Config, place: HostPlace, name: str) -> Path | None:
    """Where the world of a fake host is kept: in a cloud of many processes its guests outlive their workers."""
    return None if config.bus.driver == MEMORY_BUS else place.folder / FAKE / name


def hypervisor(parts: PlainParts, place: HostPlace, name: str) -> Any:
    """The configured hypervisor driver of the host of this name."""
    section = parts.config.compute
    if section.driver == FAKE:
        return loading.make("stackd.hypervisors", section.driver, IHypervisor, parts.reactor, parts.images,
                            folder=fake_folder(parts.config, place, name))
    options: dict[str, Any] = {}
    if section.driver == "libvirt":
        from stackd.drivers.hypervisors.libvirt import LibvirtOptions

        options = {"uri": place.libvirt_uri, "options": LibvirtOptions(
            virt_type=section.virt_type, qemu_logs=place.qemu_logs, keep_images=section.keep_images)}
    return loading.make("stackd.hypervisors", section.driver, IHypervisor, parts.reactor, parts.images,
                        place.folder / "compute", **options)


def network_driver(parts: PlainParts, place: HostPlace, name: str, inherited: tuple[int, ...] = ()) -> Any:
    """The configured network driver of the host of this name; its commands inherit these open files."""
    section = parts.config.network
    if section.driver == FAKE:
        return loading.make("stackd.networks", section.driver, INetworkDriver,
                            folder=fake_folder(parts.config, place, name),
                            physical_networks=tuple(physical_links(section.physical_networks)))
    from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions

    options = LinuxBridgeOptions(state=place.folder / "network", netns=place.netns,
                                 public_bridge=place.public_bridge, snat_range=section.snat_range,
                                 tunnel_address=section.tunnel_address, inherited=inherited,
                                 physical_links=physical_links(section.physical_networks),
                                 floating_ranges=(parts.config.cloud.external_cidr,))
    return loading.make("stackd.networks", section.driver, INetworkDriver, parts.reactor, options)
