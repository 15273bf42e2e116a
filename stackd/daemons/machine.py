"""This machine made ready to be a real host, and cleaned again: namespace, public bridge, libvirtd. Blocking.

Names are derived from the state folder, so that several clouds can live on one machine.
"""

import hashlib
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from stackd.config.sections import Config
from stackd.daemons.hosts import FAKE, HostPlace

if TYPE_CHECKING:
    from stackd.drivers.networks.hostnet import HostNetOptions


def prepare(config: Config) -> HostPlace:
    """Ensure everything a real host needs is there; nothing for fake drivers."""
    folder = Path(config.cloud.state) / "host"
    if config.compute.driver == FAKE and config.network.driver == FAKE:
        return HostPlace(folder=folder)
    from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
    from stackd.drivers.networks import hostnet

    options = host_net(config)
    hostnet.prepare(options)
    libvirtd = PrivateLibvirtd(folder / "v", namespace=options.netns, cache=folder / "cache")
    libvirtd.start()
    return HostPlace(folder=folder, libvirt_uri=libvirtd.uri, qemu_logs=str(libvirtd.qemu_logs), netns=options.netns,
                     public_bridge=options.public_bridge)


def remove(config: Config) -> None:
    """Remove every guest, device, namespace, rule, process and mount of this state folder's cloud."""
    from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
    from stackd.drivers.networks import hostnet
    from stackd.drivers.networks.linuxbridge.commands import Commands
    from stackd.drivers.networks.linuxbridge.driver import BlockingLinuxBridge
    from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions

    folder = Path(config.cloud.state) / "host"
    options = host_net(config)
    PrivateLibvirtd(folder / "v", namespace=options.netns, cache=folder / "cache").wipe()
    commands = Commands(options.netns)
    if options.netns in commands.namespaces():
        BlockingLinuxBridge(LinuxBridgeOptions(state=folder / "network", netns=options.netns), commands).clean()
    hostnet.remove(options)


def host_net(config: Config) -> "HostNetOptions":
    """The network of this host: a namespace of its own, joined to the machine by one pair of devices."""
    from stackd.drivers.networks.hostnet import HostNetOptions

    mark = hashlib.sha256(str(Path(config.cloud.state).absolute()).encode()).hexdigest()[:6]
    floating = ipaddress.ip_network(config.cloud.external_cidr)
    routers = ipaddress.ip_network(config.network.snat_range)
    gateways = tuple(f"{network[1]}/{network.prefixlen}" for network in (floating, routers))
    return HostNetOptions(netns=config.network.netns or f"stackd-{mark}", public_bridge="stackd-pub",
                          outside_link=f"sko-{mark}", uplink=f"sku-{mark}", gateways=gateways)
