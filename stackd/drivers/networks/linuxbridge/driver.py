"""The network driver of one Linux host; the network worker uses it through ``INetworkDriver``.

Bridges, taps and the security rules are in the host's namespace; each network has a router namespace with the
subnets' gateways, DHCP, SNAT and floating addresses, so tenants may use the same prefixes. Every change is first
kept in the state folder, then made true from there; doing it again completes what a crash left half-done. That it
must be done again is in the folder too: networks on which a change was begun and not ended are observed so.

::

    tap --- bridge === veth === router namespace === veth === public bridge --- outside
               |
             VXLAN --- other hosts that have ports of the network

The bridge of a network that is on a physical network has an interface there instead of VXLAN, and its router namespace
only DHCP and metadata: the gateway is the physical network's own.
"""

import re
import socket
import subprocess
from collections.abc import Iterable
from functools import partial
from typing import Any

from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.cables import Cables
from stackd.drivers.networks.linuxbridge.checking import check
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.dhcpconf import served
from stackd.drivers.networks.linuxbridge.dnsmasq import Dnsmasq
from stackd.drivers.networks.linuxbridge.folder import Folder
from stackd.drivers.networks.linuxbridge.hostrules import HostPlan, render_host, replacing
from stackd.drivers.networks.linuxbridge.links import Links
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.drivers.networks.linuxbridge.routerrules import RouterPlan, render_router
from stackd.drivers.networks.linuxbridge.tunnels import Tunnel, Tunnels
from stackd.drivers.networks.namespaces import announce, listening_socket, namespace_identity
from stackd.drivers.threaded import awaitable
from stackd.errors import PermanentFailure, TransientFailure
from stackd.interfaces.network import INetworkDriver, IRouters
from stackd.model.wirings import FloatingWiring, NetworkWiring, ObservedWiring, PortWiring, WiringChange

UNFINISHED = -1
"""The generation at which a network on which a change did not end is observed, and its floating addresses: no plan
wants it, so they are wired again or removed."""
_COMMENT = re.compile(r'comment "(network|port|group|floating) ([0-9a-f]{32}) (\d+)"')


@implementer(INetworkDriver, IRouters)
class LinuxBridge:
    """The awaitable driver: one thread does the work, one change after the other."""

    def __init__(self, reactor: Any, options: LinuxBridgeOptions, commands: Commands | None = None) -> None:
        """``reactor`` provides ``IReactorFromThreads``; ``commands`` stands in for the real ones in tests."""
        self._pool = ThreadPool(minthreads=1, maxthreads=1, name="linuxbridge")
        self._pool.start()
        self._blocking = BlockingLinuxBridge(options, commands or Commands(
            options.netns, partial(subprocess.run, pass_fds=options.inherited)))
        self._threaded: Any = awaitable(INetworkDriver, self._blocking, reactor, self._pool)

    async def observe(self) -> ObservedWiring:
        """What the kernel shows."""
        observed: ObservedWiring = await self._threaded.observe()
        return observed

    async def apply(self, change: WiringChange) -> None:
        """Bring the change about."""
        await self._threaded.apply(change)

    async def clean(self) -> None:
        """Remove everything with the driver's mark."""
        await self._threaded.clean()

    async def close(self) -> None:
        """End the thread; what is wired stays wired."""
        if self._pool.started:
            await self._threaded.close()
            self._pool.stop()

    async def networks(self) -> tuple[str, ...]:
        """The networks in the state folder."""
        return self._blocking.networks()

    def router_identity(self, network_id: str) -> tuple[int, int] | None:
        """The namespace behind the name, as the kernel numbers it."""
        return namespace_identity(self.router_namespace(network_id))

    def metadata_socket(self, network_id: str) -> socket.socket:
        """A listening socket inside the router namespace."""
        return listening_socket(self.router_namespace(network_id), names.METADATA, names.METADATA_PORT)

    def router_namespace(self, network_id: str) -> str:
        """The name of the namespace of a network's router."""
        return names.router_namespace(self._blocking.commands.netns, network_id)


class BlockingLinuxBridge:
    """The driver itself; not safe for several threads at once."""

    def __init__(self, options: LinuxBridgeOptions, commands: Commands) -> None:
        """Read the state folder; nothing on the host is touched."""
        self.commands = commands
        self._options = options
        self._folder = Folder(options.state)
        self._links = Links(commands, options)
        self._tunnels = Tunnels(commands, options)
        self._cables = Cables(commands, options)
        self._dnsmasq = Dnsmasq(commands, options.dns)

    def observe(self) -> ObservedWiring:
        """Networks whose devices, rules and DHCP server stand, and in them what the rulesets' comments tell.

        Of one on which a change did not end, no port is wired, and every floating address may still be answered for.
        """
        links = self.commands.links(self.commands.netns)
        host = {family: self._comments(self.commands.netns, family) for family in ("bridge", "inet")}
        tunnels = self._tunnels.standing()
        filtering = self._links.filtering()
        found: dict[str, dict[str, int]] = {"network": {}, "floating": {}}
        for network in self._folder.book.networks.values():
            if network.id not in self._folder.begun and self._stands(network, links, tunnels):
                router = self._comments(self._links.router(network.id), "inet")
                found["network"].update(router["network"])
                found["floating"].update(router["floating"])
        book = self._folder.book
        ports = {id: generation for id, generation in host["bridge"]["port"].items()
                 if id in book.ports and book.ports[id].network_id in found["network"]}
        found["network"].update(dict.fromkeys(self._folder.begun, UNFINISHED))
        found["floating"].update(dict.fromkeys(self._unfinished_floating(), UNFINISHED))
        whole = filtering and "table" in host["inet"]
        return ObservedWiring(networks=found["network"], ports=ports if whole else {},
                              floating_ips=found["floating"], groups=host["inet"]["group"] if whole else {})

    def apply(self, change: WiringChange) -> None:
        """Keep the change, then make the host's rules, the networks it touches and their servers follow."""
        check(change)
        if change.floating_ips and not self._options.public_bridge:
            raise PermanentFailure("This host has no public bridge, so it cannot carry floating addresses.")
        self._check_cables(change.networks)
        touched = self._touched(change)
        gone = {id for id in change.remove_networks if id not in {network.id for network in change.networks}}
        again = touched & self._folder.begun
        self._folder.enter(change, touched | gone)
        self._links.ensure_filtering()
        networks = [self._folder.book.networks[id] for id in sorted(touched) if id in self._folder.book.networks]
        for network in networks:
            self._links.ensure(network, self._number(network), self._floating_of(network))
            self._tunnels.ensure(network)
            self._cables.ensure(network)
        self.commands.host("nft", "-f", "-", feed=self._host_rules())
        for network in networks:
            self._serve(network)
        for id in gone:
            self._remove_network(id)
        self._announce({*change.floating_ips, *(floating for network in networks if network.id in again
                                                for floating in self._floating_of(network))})
        self._folder.end(touched | gone)

    def clean(self) -> None:
        """Remove all that carries the mark: networks of the state folder and others found by alias or name.

        The host's namespace may be gone already, and with it the bridges and the rules; routers are not.
        """
        for files in self._folder.all_dhcp():
            self._dnsmasq.stop(files)
        for id in {id[:11] for id in self._folder.book.networks} | self._links.marked():
            self._remove_network(id)
        if not self._links.host_exists():
            self._folder.forget()
            return
        lines = [line for family in ("bridge", "inet") for line in replacing(family)]
        self.commands.host("nft", "-f", "-", feed="\n".join(lines) + "\n")
        self._folder.forget()

    def close(self) -> None:
        """Nothing is held."""

    def networks(self) -> tuple[str, ...]:
        """The networks in the state folder."""
        return tuple(self._folder.book.networks)

    def _stands(self, network: NetworkWiring, links: dict[str, Any], tunnels: dict[str, Tunnel]) -> bool:
        return self._links.complete(network, links) and self._tunnels.complete(network, tunnels) and \
            self._cables.complete(network, links) and \
            (not served(network)
             or self._dnsmasq.serves(self._folder.dhcp(network.id), self._links.router(network.id)))

    def _check_cables(self, networks: Iterable[NetworkWiring]) -> None:
        links = self.commands.links(self.commands.netns) if any(one.physical_network for one in networks) else {}
        for network in networks:
            self._cables.check(network, links)

    def _comments(self, namespace: str, family: str) -> dict[str, dict[str, int]]:
        """Id -> generation for each word in the comments of our table; the key ``table`` when it is there at all."""
        text = self.commands.answer(namespace, "nft", "-t", "list", "table", family, names.TABLE)
        found: dict[str, dict[str, int]] = {"network": {}, "port": {}, "group": {}, "floating": {}}
        if text:
            found["table"] = {}
        for word, id, generation in _COMMENT.findall(text):
            found[word][id] = int(generation)
        return found

    def _touched(self, change: WiringChange) -> set[str]:
        """Ids of the networks that must be looked after: named, or of a port or floating address that is named."""
        book = self._folder.book
        ports: dict[str, PortWiring] = {**book.ports, **{port.id: port for port in change.ports}}
        floating = [*change.floating_ips, *(book.floating_ips[id] for id in change.remove_floating_ips
                                            if id in book.floating_ips),
                    # One that moves here to another network leaves the one it led to before.
                    *(book.floating_ips[each.id] for each in change.floating_ips if each.id in book.floating_ips)]
        port_ids = [*(port.id for port in change.ports), *change.remove_ports, *(each.port_id for each in floating)]
        return {network.id for network in change.networks} | {ports[id].network_id for id in port_ids if id in ports}

    def _host_rules(self) -> str:
        book, numbers = self._folder.book, self._folder.numbers
        return render_host(HostPlan(
            networks=[(numbers["networks"][network.id], network) for network in book.networks.values()],
            ports=[(numbers["ports"][port.id], port) for port in book.ports.values()], groups=book.groups,
            tunnel_address=self._options.tunnel_address,
            cables={id: cable.port for id, network in book.networks.items() if (cable := self._cables.of(network))}))

    def _serve(self, network: NetworkWiring) -> None:
        router = self._links.router(network.id)
        plan = RouterPlan(network=network, floating_ips=self._floating_of(network),
                          snat="" if network.physical_network else self._links.snat_address(self._number(network)))
        self.commands.within(router, "nft", "-f", "-", feed=render_router(plan))
        ports = [port for port in self._folder.book.ports.values() if port.network_id == network.id]
        self._dnsmasq.ensure(network, ports, router, self._folder.dhcp(network.id))

    def _remove_network(self, id: str) -> None:
        self._dnsmasq.stop(self._folder.dhcp(id))
        if namespace_identity(self._links.router(id)) is not None:
            self._dnsmasq.stop_all_in(self._links.router(id))
        self._links.remove(id)
        self._folder.forget_dhcp(id)

    def _announce(self, floating_ips: Iterable[FloatingWiring]) -> None:
        for floating in floating_ips:
            port = self._folder.book.ports[floating.port_id]
            try:
                announce(self._links.router(port.network_id), names.PUBLIC, floating.address)
            except OSError as error:
                raise TransientFailure(f"{floating.address} cannot be announced: {error}.") from None

    def _unfinished_floating(self) -> set[str]:
        """Ids that the book or a router's rules know on networks on which a change did not end."""
        book, begun = self._folder.book, self._folder.begun
        standing = {id for network_id in begun
                    for id in self._comments(self._links.router(network_id), "inet")["floating"]}
        return standing | {floating.id for id in begun if id in book.networks
                           for floating in self._floating_of(book.networks[id])}

    def _floating_of(self, network: NetworkWiring) -> list[FloatingWiring]:
        book = self._folder.book
        return [floating for floating in book.floating_ips.values()
                if floating.port_id in book.ports and book.ports[floating.port_id].network_id == network.id]

    def _number(self, network: NetworkWiring) -> int:
        return self._folder.numbers["networks"][network.id]
