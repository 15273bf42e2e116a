"""Two hosts on a physical network with a router of its own, all network namespaces: what its guests notice. Blocking.

::

    guest -- host 1 -- eth1 ---+
                               switch --- router 10.0.0.1 (and a server that waits for DHCP requests)
    guest -- host 2 -- eth1 ---+

Tests call :func:`check` for flat networks; in a lab machine, whose kernel has VLANs, ``python -m
tests.live.physical_bench 100 1500`` checks VLAN 100, and prints what went wrong.
"""

import socket
import sys
import tempfile
from pathlib import Path
from secrets import token_hex

from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.driver import BlockingLinuxBridge
from stackd.drivers.networks.linuxbridge.names import METADATA, METADATA_PORT, router_namespace
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.drivers.networks.namespaces import listening_socket, within
from stackd.model.devices import bridge_name, tap_name
from stackd.model.groups import Direction, SecurityGroupRule
from stackd.model.ids import new_id
from stackd.model.networks import Subnet
from stackd.model.wirings import GroupWiring, NetworkWiring, PortWiring, WiringChange
from tests.live.plugging import Guest, blocked, connects, leftovers, pings, run

PHYSICAL = "physnet1"
LINK = "eth1"
GATEWAY = "10.0.0.1"
OUTSIDE_PORT = 8080


class PhysicalHost:
    """A host with a driver and guests."""

    def __init__(self, name: str, folder: Path, mtu: int) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.guests: list[Guest] = []
        self.driver = BlockingLinuxBridge(LinuxBridgeOptions(
            state=self.folder / "network", netns=name, physical_links={PHYSICAL: LINK}), Commands(name))
        run("", "ip", "netns", "add", name)
        run(name, "ip", "link", "set", "lo", "up")

    def guest(self, port: PortWiring) -> Guest:
        """A guest plugged in as the hypervisor would, with the MTU of its network."""
        self.guests.append(Guest(self, port, bridge_name(port.network_id)))
        return self.guests[-1]

    def remove(self) -> str:
        """Remove guests and wiring; what is left."""
        for guest in self.guests:
            guest.remove()
        self.driver.clean()
        left = leftovers(self.name, self.folder / "network", (LINK,))
        run("", "ip", "netns", "del", self.name)
        return left


class PhysicalBench:
    """Hosts, a switch and a router."""

    def __init__(self, folder: Path, vlan: int = 0, mtu: int = 1500) -> None:
        self.mark = f"np{token_hex(3)}"
        self.vlan, self.mtu = vlan, mtu
        self.switch, self.router = f"{self.mark}sw", f"{self.mark}rt"
        for namespace in (self.switch, self.router):
            run("", "ip", "netns", "add", namespace)
        run(self.switch, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")
        run(self.switch, "ip", "link", "add", "switch", "mtu", str(mtu), "up", "type", "bridge", "stp_state", "0")
        self.hosts = [PhysicalHost(f"{self.mark}h{number}", folder, mtu) for number in (1, 2)]
        for namespace in (self.router, *(host.name for host in self.hosts)):
            self._cable(namespace)
        self._address_router()
        id = new_id()
        self.network = NetworkWiring(
            id=id, generation=1, bridge=bridge_name(id), mtu=mtu, physical_network=PHYSICAL, vlan=vlan,
            subnets=(Subnet(id=new_id(), project_id="p", network_id=id, name="s", cidr="10.0.0.0/24",
                            gateway_ip=GATEWAY),))
        rules = [SecurityGroupRule(id=new_id(), group_id="g", project_id="p", direction=direction, **fields)
                 for direction, fields in ((Direction.EGRESS, {}), (Direction.INGRESS, {"protocol": "icmp"}),
                                           (Direction.INGRESS, {"protocol": "tcp", "port_min": 22, "port_max": 22}))]
        self.group = GroupWiring(id=new_id(), generation=1, rules=tuple(rules))

    def _cable(self, namespace: str) -> None:
        port = f"to{namespace[-2:]}"
        run(self.switch, "ip", "link", "add", port, "mtu", str(self.mtu), "type", "veth", "peer", "name", LINK,
            "mtu", str(self.mtu), "netns", namespace)
        run(self.switch, "ip", "link", "set", port, "master", "switch", "up")

    def _address_router(self) -> None:
        run(self.router, "ip", "link", "set", LINK, "up")
        link = LINK
        if self.vlan:
            link = "tagged"
            run(self.router, "ip", "link", "add", "link", LINK, "name", link, "type", "vlan", "id", str(self.vlan))
        run(self.router, "ip", "addr", "add", f"{GATEWAY}/24", "dev", link)
        run(self.router, "ip", "link", "set", link, "up")
        run(self.router, "ip", "addr", "add", "192.0.2.1/32", "dev", "lo")
        run(self.router, "ip", "link", "set", "lo", "up")

    def wire(self, host: PhysicalHost, number: int, port_security: bool = True) -> PortWiring:
        """A port on a host, with the address and the MAC that end in this number."""
        id = new_id()
        port = PortWiring(
            id=id, generation=1, network_id=self.network.id, tap=tap_name(id), mac=f"fa:16:3e:00:00:{number:02x}",
            hostname=f"guest-{number}", addresses=(f"10.0.0.{number}",), group_ids=(self.group.id,),
            port_security=port_security)
        host.driver.apply(WiringChange(networks=(self.network,), ports=(port,), groups=(self.group,)))
        observed = host.driver.observe()
        assert (observed.networks, observed.ports) == ({self.network.id: 1}, {port.id: 1}), observed
        return port

    def remove(self) -> str:
        """Remove everything; what was left behind."""
        left = "".join(host.remove() for host in self.hosts)
        for namespace in (self.switch, self.router):
            run("", "ip", "netns", "del", namespace)
        return left + "".join(line for line in run("", "ip", "netns", "list").splitlines() if self.mark in line)


def check(folder: Path, vlan: int = 0, mtu: int = 1500) -> None:
    """Everything a guest of a network on a physical network notices; an ``AssertionError`` says what is wrong."""
    bench = PhysicalBench(folder, vlan, mtu)
    try:
        _check(bench)
    finally:
        left = bench.remove()
    assert left == "", left


def _check(bench: PhysicalBench) -> None:
    one, two = bench.hosts
    guests = [one.guest(bench.wire(one, 5)), two.guest(bench.wire(two, 6))]
    for guest in guests:
        run(guest.name, "ip", "link", "set", "eth0", "mtu", str(bench.mtu))
        run(guest.host, "ip", "link", "set", guest.port.tap, "mtu", str(bench.mtu))
    heard = within(bench.router, _dhcp_ear)
    leases = [guest.dhcp() for guest in guests]
    _check_leases(bench, leases)
    with heard:
        assert _said_nothing(heard), "DHCP requests of guests leave their hosts"
    _check_reach(bench, guests)
    _check_metadata(bench, guests)
    _check_spoofing(guests[0])


def _check_leases(bench: PhysicalBench, leases: list[dict[str, str]]) -> None:
    for lease, number in zip(leases, (5, 6), strict=True):
        shown = {word: lease.get(word) for word in ("ip", "router", "mtu", "serverid")}
        assert shown == {"ip": f"10.0.0.{number}", "router": GATEWAY, "mtu": str(bench.mtu), "serverid": METADATA}, \
            lease
        assert lease["staticroutes"].startswith(f"{METADATA}/32 0.0.0.0"), lease


def _check_reach(bench: PhysicalBench, guests: list[Guest]) -> None:
    """Each other, the physical network's router and what is behind it; in whole packets; groups decide."""
    first, second = guests
    for target in ("10.0.0.6", GATEWAY, "192.0.2.1"):
        assert pings(first.name, target), f"{target} is not reached"
        assert whole(first.name, target, bench.mtu), f"no packets of {bench.mtu} bytes reach {target}"
        assert not whole(first.name, target, bench.mtu + 4), f"packets above {bench.mtu} bytes reach {target}"
    assert pings(bench.router, "10.0.0.5"), "the router does not reach a guest"
    with second.listen(22), second.listen(80), listening_socket(bench.router, GATEWAY, OUTSIDE_PORT):
        for source in (first.name, bench.router):
            assert connects(source, "10.0.0.6", 22), f"{source} is not let in"
            assert blocked(source, "10.0.0.6", 80), f"{source} is let in"
        assert connects(first.name, GATEWAY, OUTSIDE_PORT), "the router's own service is not reached"


def _check_metadata(bench: PhysicalBench, guests: list[Guest]) -> None:
    """On each host its own, with the route that DHCP gave and without one, by way of the gateway."""
    for guest in guests:
        router = router_namespace(guest.host, bench.network.id)
        with listening_socket(router, METADATA, METADATA_PORT) as service:
            for route in ([], ["dev", "eth0"]):
                if route:
                    run(guest.name, "ip", "route", "add", METADATA, *route)
                found = connects(guest.name, METADATA, METADATA_PORT)
                assert found is not None, f"{guest.name} does not reach the metadata service {route}"
                service.setblocking(True)
                accepted, (source, _) = service.accept()
                assert source == guest.port.addresses[0], source
                accepted.close()
                found.close()


def _check_spoofing(guest: Guest) -> None:
    guest.address("10.0.0.77", GATEWAY)
    assert not pings(guest.name, GATEWAY), "a guest may use another address"


def whole(namespace: str, address: str, size: int) -> bool:
    """Whether an IPv4 packet of this size arrives uncut and is answered."""
    try:
        run(namespace, "ping", "-c", "1", "-W", "1", "-M", "do", "-s", str(size - 28), address)
    except Exception:
        return False
    return True


def _dhcp_ear() -> socket.socket:
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    ear.bind(("0.0.0.0", 67))
    ear.setblocking(False)
    return ear


def _said_nothing(ear: socket.socket) -> bool:
    try:
        ear.recv(2048)
    except BlockingIOError:
        return True
    return False


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        check(Path(made), int(sys.argv[1]), int(sys.argv[2]))
    print("all is well")
