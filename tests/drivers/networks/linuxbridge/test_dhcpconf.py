"""What dnsmasq is told, and that nothing hostile gets into its files."""

from pathlib import Path

import pytest
from attrs import evolve

from stackd.drivers.networks.linuxbridge.dhcpconf import DhcpFiles, kept_leases, render_conf, render_hosts
from stackd.testing.contracts.network import network_of, port_of

FILES = DhcpFiles(Path("/var/lib/x"))


def conf(**changes: object) -> list[str]:
    """The lines for a network whose one subnet has these changes."""
    network = network_of()
    network = evolve(network, mtu=1400, subnets=(evolve(network.subnets[0], **changes),))
    return render_conf(network, FILES, ("192.0.2.1", "fd00::53")).splitlines()


def test_ipv4() -> None:
    """DHCP only, static only, MTU, router, classless routes, the default resolver of the same family."""
    lines = conf()
    assert "port=0" in lines
    assert "dhcp-range=set:s0,10.0.0.0,static,255.255.255.0,86400" in lines
    assert "dhcp-option=tag:s0,option:mtu,1400" in lines
    assert "dhcp-option=tag:s0,option:router,10.0.0.1" in lines
    assert "dhcp-option=tag:s0,option:classless-static-route,169.254.169.254/32,10.0.0.1,0.0.0.0/0,10.0.0.1" in lines
    assert "dhcp-option=tag:s0,option:dns-server,192.0.2.1" in lines
    assert "enable-ra" not in lines


def test_on_a_physical_network() -> None:
    """The gateway is another's: metadata is on the link, and IPv6 is not announced."""
    four, six = network_of(), network_of("fd00:1::/64", "fd00:1::1")
    lines = render_conf(evolve(four, physical_network="blue", subnets=(*four.subnets, *six.subnets)), FILES,
                        ()).splitlines()
    assert "dhcp-option=tag:s0,option:router,10.0.0.1" in lines
    assert "dhcp-option=tag:s0,option:classless-static-route,169.254.169.254/32,0.0.0.0,0.0.0.0/0,10.0.0.1" in lines
    assert "shared-network=inside,10.0.0.0" in lines
    assert "enable-ra" not in lines and "fd00" not in "".join(lines)


def test_own_resolvers_come_first() -> None:
    """A subnet's resolvers replace the defaults."""
    assert "dhcp-option=tag:s0,option:dns-server,8.8.8.8,9.9.9.9" in conf(dns=("8.8.8.8", "9.9.9.9"))


def test_ipv6() -> None:
    """Router advertisement and reservations."""
    lines = conf(cidr="fd00:1::/64", gateway_ip="fd00:1::1", ip_version=6)
    assert "enable-ra" in lines and "dhcp-range=set:s0,fd00:1::,static,64,600" in lines
    assert "dhcp-option=tag:s0,option6:dns-server,[fd00::53]" in lines


def test_without_gateway_and_without_dhcp() -> None:
    """No router is told where there is none; a subnet that wants no DHCP is not mentioned."""
    assert "dhcp-option=tag:s0,option:router" in conf(gateway_ip="")
    assert not [line for line in conf(dhcp=False) if "dhcp-range" in line]


@pytest.mark.parametrize(("hostname", "shown"), [
    ("web", "web"), ("Web-1", "Web-1"), ("", "host-10-0-0-5"), ("a,10.0.0.1", "host-10-0-0-5"),
    ("a\ndhcp-script=/bin/sh", "host-10-0-0-5"), ("-a", "host-10-0-0-5"), ("a" * 64, "host-10-0-0-5"),
    ("a.b", "host-10-0-0-5"), ("héllo", "host-10-0-0-5"), ("ignore", "host-10-0-0-5"), ("infinite", "host-10-0-0-5"),
    ("7", "host-10-0-0-5"), ("10m", "host-10-0-0-5"), ("3D", "host-10-0-0-5"), ("ignored", "ignored"), ("3x", "3x"),
    ("web10m", "web10m"),
])
def test_hostnames(hostname: str, shown: str) -> None:
    """A name that is none is replaced."""
    port = port_of(network_of(), 5, hostname=hostname, addresses=("10.0.0.5", "fd00::5"))
    assert render_hosts([port]) == f"fa:16:3e:00:00:05,{shown},10.0.0.5,[fd00::5]\n"


def test_kept_leases() -> None:
    """Leases of ports that are gone, or of another MAC, are dropped; the rest and the server's id stay."""
    port = port_of(network_of(), 5, addresses=("10.0.0.5", "fd00::5"))
    kept = ("1 fa:16:3e:00:00:05 10.0.0.5 guest-5 *\n", "duid 00:01\n", "1 1040187397 fd00::5 guest-5 00:01:00\n")
    dropped = ("1 fa:16:3e:00:00:06 10.0.0.6 guest-6 *\n", "1 fa:16:3e:00:00:07 10.0.0.5 guest-7 *\n",
               "1 1040187397 fd00::6 guest-6 00:01:00\n")
    text = kept[0] + dropped[0] + dropped[1] + kept[1] + kept[2] + dropped[2]
    assert kept_leases(text, [port]) == "".join(kept)
    assert kept_leases("", [port]) == ""
