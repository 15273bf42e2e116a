"""The texts of the rulesets: one line per group rule, and who is in which chain."""

import pytest
from attrs import evolve

from stackd import errors
from stackd.drivers.networks.linuxbridge import names
from stackd.drivers.networks.linuxbridge.grouprules import render_group, rule_text
from stackd.drivers.networks.linuxbridge.hostrules import HostPlan, link_local, render_host
from stackd.drivers.networks.linuxbridge.routerrules import RouterPlan, render_router
from stackd.model.groups import Direction
from stackd.testing.contracts.network import floating_of, group_of, network_of, port_of, rule

G, R = "a" * 32, "b" * 32


@pytest.mark.parametrize(("fields", "expected"), [
    ({}, "meta nfproto ipv4 accept"),
    ({"ethertype": "IPv6"}, "meta nfproto ipv6 accept"),
    ({"remote_cidr": "0.0.0.0/0"}, "meta nfproto ipv4 accept"),
    ({"remote_cidr": "::/0", "ethertype": "IPv6"}, "meta nfproto ipv6 accept"),
    ({"remote_cidr": "10.1.2.3/8"}, "ip saddr 10.0.0.0/8 accept"),
    ({"remote_cidr": "fd00::/8", "ethertype": "IPv6", "direction": Direction.EGRESS}, "ip6 daddr fd00::/8 accept"),
    ({"remote_group_id": R}, f"ip saddr @v4_{G}_{R} accept"),
    ({"remote_group_id": R, "ethertype": "IPv6"}, f"ip6 saddr @v6_{G}_{R} accept"),
    ({"protocol": "tcp", "port_min": 22, "port_max": 80}, "meta nfproto ipv4 meta l4proto 6 th dport 22-80 accept"),
    ({"protocol": "17", "port_min": 53, "port_max": 53}, "meta nfproto ipv4 meta l4proto 17 th dport 53-53 accept"),
    ({"protocol": "udp"}, "meta nfproto ipv4 meta l4proto 17 accept"),
    ({"protocol": "gre", "port_min": 1, "port_max": 2}, "meta nfproto ipv4 meta l4proto 47 accept"),
    ({"protocol": "icmp"}, "meta nfproto ipv4 meta l4proto 1 accept"),
    ({"protocol": "icmp", "port_min": 8}, "meta nfproto ipv4 meta l4proto 1 icmp type 8 accept"),
    ({"protocol": "icmp", "port_min": 3, "port_max": 4},
     "meta nfproto ipv4 meta l4proto 1 icmp type 3 icmp code 4 accept"),
    ({"protocol": "icmp", "ethertype": "IPv6", "port_min": 128},
     "meta nfproto ipv6 meta l4proto 58 icmpv6 type 128 accept"),
    ({"protocol": "ipv6-icmp", "ethertype": "IPv6"}, "meta nfproto ipv6 meta l4proto 58 accept"),
])
def test_rule_text(fields: dict, expected: str) -> None:
    """Every kind of rule."""
    assert rule_text(rule(**fields), G) == expected


@pytest.mark.parametrize("protocol", ["nonsense", "256", "-1", "tcp accept", "²"])
def test_no_such_protocol(protocol: str) -> None:
    """What is no protocol is refused for good, whatever else it says."""
    with pytest.raises(errors.PermanentFailure):
        rule_text(rule(protocol=protocol), G)


def test_group_sets() -> None:
    """Members of both families are elements of the sets that rules refer to."""
    text = "\n".join(render_group(group_of(rule(remote_group_id=R), members={R: ("10.0.0.6", "10.0.0.5", "fd00::5")},
                                           id=G, generation=4)))
    assert f"set v4_{G}_{R} {{\ntype ipv4_addr\nelements = {{ 10.0.0.5, 10.0.0.6 }}" in text
    assert f"set v6_{G}_{R} {{\ntype ipv6_addr\nelements = {{ fd00::5 }}" in text
    assert f'chain in_{G} {{\ncomment "group {G} 4"\nip saddr' in text
    assert f"chain out_{G} {{\n" in text


def test_host_rules() -> None:
    """Ports jump to their groups' chains, each bridge has its zone, unfiltered ports the open mark."""
    network, group = network_of(), group_of(id=G)
    closed = port_of(network, 5, group_ids=(G, "c" * 32))
    free = port_of(network, 6, port_security=False)
    text = render_host(HostPlan(networks=[(3, network)], ports=[(1, closed), (2, free)], groups={G: group}))
    assert text.startswith("table bridge stackd\ndelete table bridge stackd\ntable inet stackd\n")
    assert f'ct zone set iifname map {{ "{network.bridge}" : 3 }}' in text
    assert f"chain to_1 {{\njump always_in\nct state established,related accept\nct state invalid drop\n" \
           f"jump in_{G}\ndrop\n}}" in text, "a group nobody told us of lets nothing in"
    assert f'chain guard_2 {{\ncomment "port {free.id} 1"\nmeta mark set {names.OPEN_MARK:#x}\n}}' in text
    assert "chain to_2" not in text
    assert f"ether saddr != {closed.mac} drop" in text
    assert f'"{names.inside_link(network.id)}" : jump unguarded' in text


def test_closed_ports() -> None:
    """Nothing passes a port that was switched off, with port security or without, nor one of such a network."""
    network, off = network_of(), network_of(admin_state_up=False)
    ports = [port_of(network, 5), port_of(network, 6, admin_state_up=False),
             port_of(network, 7, admin_state_up=False, port_security=False), port_of(off, 8)]
    text = render_host(HostPlan(networks=[(3, network), (4, off)], ports=list(enumerate(ports, 1)), groups={}))
    for number, port in list(enumerate(ports, 1))[1:]:
        assert f'chain guard_{number} {{\ncomment "port {port.id} 1"\ndrop\n}}' in text
    shut = ", ".join(f'"{tap}"' for tap in sorted(port.tap for port in ports[1:]))
    assert f"priority -300; policy accept;\noifname {{ {shut} }} drop\niifname @known meta mark set 0" in text
    assert f"ether saddr != {ports[0].mac} drop" in text
    assert "oifname {" not in render_host(HostPlan(networks=[(3, network)], ports=[(1, ports[0])], groups={}))


def test_tunnel_rules() -> None:
    """What comes from a tunnel is looked through, what a router asks there names no address, strangers are dropped."""
    network, plain = network_of(peers=("10.77.0.3", "10.77.0.2")), network_of(segment=0)
    text = render_host(HostPlan(networks=[(3, network), (4, plain)], ports=[], groups={}, tunnel_address="10.77.0.1"))
    mac, tunnel = names.router_mac(network.id, "10.77.0.1"), names.tunnel_link(network.id)
    assert f'"{tunnel}" : jump from_tunnel_3' in text and f'"{tunnel}" : jump to_tunnel_3' in text
    assert f'"{tunnel}" : {names.OPEN_MARK:#x}' in text
    assert "ether type arp arp daddr ip { 169.254.169.254, 10.0.0.1 } drop" in text
    nameless = f"ether saddr {mac} ether type arp arp operation request arp saddr ip set 0.0.0.0"
    assert f"{nameless}\njump within_host_3" in text
    assert "ip daddr 10.77.0.1 udp dport 4789 ip saddr != { 10.77.0.2, 10.77.0.3 } drop" in text
    assert names.tunnel_link(plain.id) not in text
    alone = render_host(HostPlan(networks=[(3, evolve(network, peers=()))], ports=[], groups={},
                                 tunnel_address="10.77.0.1"))
    assert "ip daddr 10.77.0.1 udp dport 4789 drop" in alone
    assert "tunnel" not in render_host(HostPlan(networks=[(3, network)], ports=[], groups={}))


def test_cable_rules() -> None:
    """What is the host's own does not pass its cable, and what guests ask of the metadata is led to it."""
    cabled, tenant = network_of(segment=0, physical_network="blue", vlan=7), network_of()
    mine, other = port_of(cabled, 5), port_of(tenant, 6)
    text = render_host(HostPlan(networks=[(3, cabled), (4, tenant)], ports=[(1, mine), (2, other)], groups={},
                                cables={cabled.id: "svl1"}))
    mac = names.router_mac(cabled.id)
    assert '"svl1" : jump from_cable_3' in text and '"svl1" : jump to_cable_3' in text
    tagged = "ether type { 8021q, 8021ad } drop\n"
    assert f"chain from_cable_3 {{\nether daddr {mac} drop\n{tagged}" in text
    assert f"chain to_cable_3 {{\n{tagged}ether saddr {mac} drop\n" in text, "nobody leaves for another VLAN"
    assert f'"svl1" : {names.OPEN_MARK:#x}' in text
    assert f'iifname "{mine.tap}" ip daddr 169.254.169.254 ether daddr set {mac}' in text
    assert text.count("ether daddr set") == 1
    assert "cable" not in render_host(HostPlan(networks=[(4, tenant)], ports=[(2, other)], groups={}))


def test_routers_of_one_network_differ_by_host() -> None:
    """They are on one link; a host without tunnels keeps the address it always had."""
    assert names.router_mac(G, "10.77.0.1") != names.router_mac(G, "10.77.0.2")
    assert names.router_mac(G) == "02:5d:aa:aa:aa:aa"


def test_empty_host() -> None:
    """Without ports and networks there is nothing to filter, and no empty set that nftables would refuse."""
    text = render_host(HostPlan(networks=[], ports=[], groups={}))
    assert "elements" not in text and "hook" not in text


def test_router_rules() -> None:
    """Floating addresses lead in and out before the router's own; without an outside there is no NAT."""
    network = network_of()
    floating = floating_of(port_of(network, 5))
    text = render_router(RouterPlan(network=network, floating_ips=[floating], snat="100.64.0.2"))
    assert f'ip daddr 203.0.113.10 dnat ip to 10.0.0.5 comment "floating {floating.id} 1"' in text
    own, general = text.index("snat ip to 203.0.113.10"), text.index("snat ip to 100.64.0.2")
    assert own < general
    assert f'comment "network {network.id} 1"' in text
    assert "type nat" not in render_router(RouterPlan(network=network))


@pytest.mark.parametrize(("mac", "expected"), [
    ("fa:16:3e:00:00:05", "fe80::f816:3eff:fe00:5"),
    ("00:00:00:00:00:00", "fe80::200:ff:fe00:0"),
])
def test_link_local(mac: str, expected: str) -> None:
    """EUI-64 as the kernel makes it."""
    assert link_local(mac) == expected
