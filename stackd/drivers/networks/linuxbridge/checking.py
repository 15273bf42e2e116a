"""Refuses wiring whose texts could mean something else in a configuration file or a ruleset. Pure.

The values come from the cloud's database and were checked there too; a driver trusts nobody with its host's rules.
"""

import re
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from stackd.drivers.networks.linuxbridge.grouprules import protocol_number
from stackd.drivers.networks.linuxbridge.options import LinuxBridgeOptions
from stackd.errors import PermanentFailure
from stackd.model.devices import bridge_name
from stackd.model.groups import SecurityGroupRule
from stackd.model.wirings import FloatingWiring, GroupWiring, NetworkWiring, PortWiring, WiringChange

_ID = re.compile(r"[0-9a-f]{32}")
_DEVICE = re.compile(r"[a-zA-Z0-9_.-]{1,15}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_KEYWORD = re.compile(r"ignore|infinite|[0-9]+[smhdwSMHDW]?")
"""What dnsmasq's host list takes for something else than a name: leave this guest alone, or the time of its lease."""


def check(change: WiringChange) -> None:
    """Raise ``PermanentFailure`` when anything in the change cannot be wired."""
    for network in change.networks:
        check_network(network)
    for port in change.ports:
        check_port(port)
    for floating in change.floating_ips:
        check_floating(floating)
    for group in change.groups:
        check_group(group)
    for removed in (change.remove_networks, change.remove_ports, change.remove_floating_ips, change.remove_groups):
        for id in removed:
            _match(_ID, id, "id")


def check_network(network: NetworkWiring) -> None:
    """A network with its subnets."""
    _match(_ID, network.id, "network id")
    if network.bridge != bridge_name(network.id):
        raise PermanentFailure(f"{network.bridge!r} is not the bridge of network {network.id}.")
    if not 0 <= network.segment < 2**24:
        raise PermanentFailure(f"Segment {network.segment} of network {network.id} does not fit into 24 bits.")
    if not 0 <= network.vlan < 4095:
        raise PermanentFailure(f"VLAN {network.vlan} of network {network.id} is none.")
    for peer in network.peers:
        if _parse(ip_address, peer, "tunnel address").version != 4:
            raise PermanentFailure(f"Tunnel addresses are IPv4, {peer} is not.")
    for subnet in network.subnets:
        _match(_ID, subnet.id, "subnet id")
        _parse(ip_network, subnet.cidr, "subnet")
        for address in (*subnet.dns, *filter(None, [subnet.gateway_ip])):
            _parse(ip_address, address, "address of a subnet")


def check_outside(network: NetworkWiring, options: LinuxBridgeOptions) -> None:
    """Raise when the router would look for its own way outside, the first of ``snat_range``, among the guests."""
    if not options.public_bridge:
        return
    outside = ip_network(options.snat_range)[1]
    for subnet in network.subnets:
        if subnet.gateway_ip and outside in ip_network(subnet.cidr):
            raise PermanentFailure(
                f"Subnet {subnet.cidr} of network {network.id} holds {outside}, by which this host's networks reach "
                "the outside.", remedy="Make the subnet with another prefix.")


def check_port(port: PortWiring) -> None:
    """A port; a host name that is none is not an error, DHCP just gives another."""
    _match(_ID, port.id, "port id")
    _match(_DEVICE, port.tap, "tap")
    _match(_MAC, port.mac, "MAC address")
    for address in port.addresses:
        _parse(ip_address, address, "fixed address")
    for id in port.group_ids:
        _match(_ID, id, "group id")


def check_floating(floating: FloatingWiring) -> None:
    """A floating address."""
    _match(_ID, floating.id, "floating address id")
    for address in (floating.address, floating.fixed_ip):
        if _parse(ip_address, address, "floating address").version != 4:
            raise PermanentFailure(f"Floating addresses are IPv4, {address} is not.")


def check_group(group: GroupWiring) -> None:
    """A group with its rules and members."""
    _match(_ID, group.id, "group id")
    for rule in group.rules:
        _check_rule(rule)
    for id, addresses in group.members.items():
        _match(_ID, id, "group id")
        for address in addresses:
            _parse(ip_address, address, "member's address")


def hostname(port: PortWiring) -> str:
    """The name DHCP gives: the port's own when it is one, else one made of its first address."""
    if _HOSTNAME.fullmatch(port.hostname) and not _KEYWORD.fullmatch(port.hostname):
        return port.hostname
    return "host-" + re.sub("[.:]+", "-", port.addresses[0] if port.addresses else port.id[:8]).strip("-")


def _check_rule(rule: SecurityGroupRule) -> None:
    protocol_number(rule.protocol)
    if rule.remote_cidr:
        _parse(ip_interface, rule.remote_cidr, "prefix of a rule")
    if rule.remote_group_id:
        _match(_ID, rule.remote_group_id, "group id")
    for number in (rule.port_min, rule.port_max):
        if number is not None and not 0 <= number <= 65535:
            raise PermanentFailure(f"Port {number} of a rule is outside 0 to 65535.")


def _match(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise PermanentFailure(f"{text!r} cannot be used as {what}.")


def _parse(parse: Any, text: str, what: str) -> Any:
    # A zone suffix ("fe80::1%x") is free text to the parser, and never part of a wiring.
    if "%" in text:
        raise PermanentFailure(f"{text!r} cannot be used as {what}.")
    try:
        return parse(text)
    except ValueError as error:
        raise PermanentFailure(f"{text!r} cannot be used as {what}: {error}.") from None
