"""This machine made ready to be a real host, and cleaned again: namespace, public bridge, libvirtd. Blocking.

Names are derived from the state folder, so that several clouds can live on one machine.
"""

import fcntl
import hashlib
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stackd.config.sections import Config
from stackd.daemons.hosts import FAKE, HostPlace

if TYPE_CHECKING:
    from stackd.drivers.networks.hostnet import HostNetOptions

PUBLIC_BRIDGE = "stackd-pub"


def prepare(config: Config, guests: bool = True) -> HostPlace:
    """Ensure everything a real host needs is there; nothing for fake drivers.

    Both daemons of a host may call it at once; without ``guests`` it is for the one that has none to care for.
    """
    folder = Path(config.cloud.state) / "host"
    if config.compute.driver == FAKE and config.network.driver == FAKE:
        return HostPlace(folder=folder)
    from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
    from stackd.drivers.networks import hostnet

    options = host_net(config)
    libvirtd = PrivateLibvirtd(folder / "v", namespace=options.netns, cache=folder / "cache")
    with _alone(folder):
        hostnet.prepare(options)
        if guests:
            libvirtd.start()

    def ensure() -> str:
        if libvirtd.running():
            return ""
        with _alone(folder):
            libvirtd.start()
        return "libvirtd"

    return HostPlace(folder=folder, libvirt_uri=libvirtd.uri, qemu_logs=str(libvirtd.qemu_logs), netns=options.netns,
                     public_bridge=options.public_bridge, ensure=ensure if guests else None)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process of this host prepare it meanwhile."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove(config: Config) -> None:
    """Remove every guest, device, namespace, rule, process and mount of this state folder's cloud."""
    from stackd.drivers.networks import hostnet

    empty(config)
    hostnet.remove(host_net(config))


def empty(config: Config) -> None:
    """Remove every guest with its libvirtd, and all wiring; the host's own network stays."""
    from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
    from stackd.drivers.networks.linuxbridge.commands import Commands
    from stackd.drivers.networks.linuxbridge.driver import BlockingLinuxBridge
    from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions

    folder = Path(config.cloud.state) / "host"
    options = host_net(config)
    PrivateLibvirtd(folder / "v", namespace=options.netns, cache=folder / "cache").wipe()
    commands = Commands(options.netns)
    if not options.netns or options.netns in commands.namespaces():
        BlockingLinuxBridge(LinuxBridgeOptions(state=folder / "network", netns=options.netns), commands).clean()


def host_net(config: Config) -> "HostNetOptions":
    """The network of this host.

    With a ``public_link`` it is the configured namespace or the present one, and that link leads outside. Else it is a
    namespace of its own, joined to the machine by one pair of devices.
    """
    from stackd.drivers.networks.hostnet import HostNetOptions

    section = config.network
    if section.public_link:
        return HostNetOptions(netns=section.netns, public_bridge=PUBLIC_BRIDGE, public_link=section.public_link)
    mark = hashlib.sha256(str(Path(config.cloud.state).absolute()).encode()).hexdigest()[:6]
    floating = ipaddress.ip_network(config.cloud.external_cidr)
    routers = ipaddress.ip_network(section.snat_range)
    gateways = tuple(f"{network[1]}/{network.prefixlen}" for network in (floating, routers))
    return HostNetOptions(netns=section.netns or f"stackd-{mark}", public_bridge=PUBLIC_BRIDGE,
                          outside_link=f"sko-{mark}", uplink=f"sku-{mark}", gateways=gateways)
