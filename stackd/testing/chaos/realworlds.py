"""What hosts with real drivers hold: domains and disks as libvirt shows them, the wiring as the kernel shows it."""

from pathlib import Path

from stackd.config.loading import load_file
from stackd.config.sections import Config
from stackd.daemons import machine
from stackd.drivers.hypervisors.connection import Connection
from stackd.drivers.hypervisors.disks import GuestFolders
from stackd.drivers.hypervisors.domains import Domains
from stackd.drivers.hypervisors.libvirtd import PrivateLibvirtd
from stackd.drivers.networks.book import Book
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.driver import BlockingLinuxBridge
from stackd.drivers.networks.linuxbridge.folder import Folder
from stackd.drivers.networks.linuxbridge.names import router_namespace, router_prefix
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.model.devices import bridge_name, tap_name
from stackd.model.guests import Guest
from stackd.testing.chaos.worlds import World
from stackd.testing.lab.site import Site


def real_worlds(site: Site) -> tuple[World, ...]:
    """All hosts of a site with real drivers."""
    return tuple(_real(name, load_file(site.config(f"compute@{name}"))) for name in site.hosts)


def _real(name: str, config: Config) -> World:
    folder, net = Path(config.cloud.state) / "host", machine.host_net(config)
    wiring = LinuxBridgeOptions(state=folder / "network", netns=net.netns, public_bridge=net.public_bridge,
                                tunnel_address=config.network.tunnel_address)
    observed = BlockingLinuxBridge(wiring, Commands(net.netns)).observe()
    book = Folder(wiring.state).book
    return World(
        host=name, guests={guest.id: guest.state for guest in _guests(folder, net.netns)},
        networks=frozenset(observed.networks),
        ports={id: book.ports[id] for id in observed.ports if id in book.ports},
        floating_ips={id: book.floating_ips[id] for id in observed.floating_ips if id in book.floating_ips},
        groups={id: book.groups[id] for id in observed.groups if id in book.groups},
        strays=_strays(Commands(net.netns), book))


def _strays(commands: Commands, book: Book) -> frozenset[str]:
    taps, bridges = ({name(id) for id in kept} for name, kept in (
        (tap_name, book.ports), (bridge_name, book.networks)))
    routers = {router_namespace(commands.netns, id) for id in book.networks}
    links = {name for name in commands.links(commands.netns)
             if name.startswith((tap_name(""), bridge_name("")))}
    spaces = {name for name in commands.namespaces() if name.startswith(router_prefix(commands.netns))}
    return frozenset((links - taps - bridges) | (spaces - routers))


def _guests(folder: Path, netns: str) -> tuple[Guest, ...]:
    libvirtd = PrivateLibvirtd(folder / "v", namespace=netns, cache=folder / "cache")
    connection = Connection(libvirtd.uri)
    try:
        return Domains(connection, GuestFolders(folder / "compute" / "guests", 0), folder, libvirtd.qemu_logs).guests()
    finally:
        connection.close()
