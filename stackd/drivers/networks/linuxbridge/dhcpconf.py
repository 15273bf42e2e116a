"""dnsmasq's configuration and host list for one network. Pure; nothing reaches a file that was not checked."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path

from attrs import frozen

from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.checking import hostname
from stackd.model.networks import Subnet
from stackd.model.wirings import NetworkWiring, PortWiring

LEASE_SECONDS = 86400
LEASE_SECONDS_V6 = 600
"""Short, because a guest made anew on its port has another client id, and its address waits for the old one's."""
DOMAIN = "novalocal"


@frozen
class DhcpFiles:
    """Where the files of one network's server are."""

    folder: Path

    @property
    def conf(self) -> Path:
        """The configuration."""
        return self.folder / "dnsmasq.conf"

    @property
    def hosts(self) -> Path:
        """The host list."""
        return self.folder / "hosts"

    @property
    def leases(self) -> Path:
        """The leases, dnsmasq's own."""
        return self.folder / "leases"

    @property
    def pid(self) -> Path:
        """The process id, dnsmasq's own."""
        return self.folder / "pid"


def served(network: NetworkWiring) -> tuple[Subnet, ...]:
    """The subnets that want DHCP; on a physical network IPv6 is its own routers' to announce."""
    return tuple(subnet for subnet in network.subnets
                 if subnet.dhcp and not (network.physical_network and subnet.ip_version == 6))


def render_conf(network: NetworkWiring, files: DhcpFiles, dns: Iterable[str]) -> str:
    """The configuration: DHCP only, static reservations only, on the router's inside. ``dns`` are the defaults."""
    lines = ["port=0", "no-hosts", "no-resolv", "no-ping", "bind-interfaces", f"interface={names.INSIDE}",
             "except-interface=lo", "dhcp-authoritative", "user=root", f"domain={DOMAIN}",
             f"dhcp-hostsfile={files.hosts}", f"dhcp-leasefile={files.leases}", f"pid-file={files.pid}",
             "dhcp-lease-max=65536"]
    if any(subnet.ip_version == 6 for subnet in served(network)):
        lines.append("enable-ra")
    for index, subnet in enumerate(served(network)):
        lines += _subnet(f"s{index}", subnet, network, tuple(subnet.dns) or tuple(dns))
    return "\n".join(lines) + "\n"


def render_hosts(ports: Iterable[PortWiring]) -> str:
    """The host list: MAC, name, addresses."""
    return "".join(",".join([port.mac, hostname(port), *map(_bracketed, port.addresses)]) + "\n"
                   for port in sorted(ports, key=lambda port: port.id) if port.addresses)


def kept_leases(text: str, ports: Iterable[PortWiring]) -> str:
    """The lease file without leases that are no port's own: an address must be free for its next holder.

    A line is ``EXPIRY MAC ADDRESS NAME CLIENT-ID``; from the line ``duid ...`` on they are DHCPv6 leases, without
    the MAC.
    """
    ports = tuple(ports)
    pairs = {(port.mac, address) for port in ports for address in port.addresses}
    addresses = {address for port in ports for address in port.addresses}
    kept = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and (words[1], words[2]) not in pairs and not (":" in words[2] and words[2] in addresses):
            continue
        kept.append(line)
    return "".join(line + "\n" for line in kept)


def _subnet(tag: str, subnet: Subnet, network: NetworkWiring, dns: tuple[str, ...]) -> list[str]:
    prefix = ip_network(subnet.cidr)
    if prefix.version == 6:
        lines = [f"dhcp-range=set:{tag},{prefix.network_address},static,{prefix.prefixlen},{LEASE_SECONDS_V6}"]
        return lines + _option(tag, "option6:dns-server", [f"[{each}]" for each in dns if ":" in each])
    lines = [f"dhcp-range=set:{tag},{prefix.network_address},static,{prefix.netmask},{LEASE_SECONDS}",
             f"dhcp-option=tag:{tag},option:mtu,{network.mtu}"]
    if subnet.gateway_ip:
        # Another's gateway does not know the way to the metadata, which is on the link then.
        metadata = "0.0.0.0" if network.physical_network else subnet.gateway_ip  # noqa: S104 - nothing is bound
        lines += [f"dhcp-option=tag:{tag},option:router,{subnet.gateway_ip}",
                  # Clients that take classless routes ignore the router option, so the default stands here again.
                  f"dhcp-option=tag:{tag},option:classless-static-route,{names.METADATA}/32,{metadata},"
                  f"0.0.0.0/0,{subnet.gateway_ip}"]
    else:
        lines.append(f"dhcp-option=tag:{tag},option:router")
    if network.physical_network or not subnet.gateway_ip:
        # The server has no address of this subnet, so it is told that the subnet is on its link.
        lines.append(f"shared-network={names.INSIDE},{prefix.network_address}")
    return lines + _option(tag, "option:dns-server", [each for each in dns if ":" not in each])


def _option(tag: str, option: str, values: list[str]) -> list[str]:
    return [f"dhcp-option=tag:{tag},{option},{','.join(values)}"] if values else []


def _bracketed(address: str) -> str:
    return f"[{address}]" if ip_address(address).version == 6 else address
