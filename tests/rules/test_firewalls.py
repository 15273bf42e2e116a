"""Security group rules: what may be asked and when two are the same."""

import pytest

from stackd import errors
from stackd.model.groups import Direction, RuleRequest
from stackd.rules import firewalls


def rule(**fields):
    """An ingress rule."""
    return RuleRequest(**{"direction": Direction.INGRESS} | fields)


@pytest.mark.parametrize("asked, kept", [
    ({"protocol": "TCP", "port_min": 1, "port_max": 2}, {"protocol": "tcp", "port_min": 1, "port_max": 2}),
    ({"protocol": "any"}, {"protocol": ""}), ({"protocol": "-1"}, {"protocol": ""}),
    ({"protocol": "0"}, {"protocol": ""}), ({"protocol": "017"}, {"protocol": "17"}),
    ({"remote_cidr": "10.0.0.5/24"}, {"remote_cidr": "10.0.0.0/24"}),
    ({"remote_cidr": "10.0.0.5"}, {"remote_cidr": "10.0.0.5/32"}),
    ({"protocol": "icmp", "port_min": 8}, {"protocol": "icmp", "port_min": 8}),
    ({"protocol": "icmp", "port_min": 8, "port_max": 0}, {"protocol": "icmp", "port_min": 8, "port_max": 0})])
def test_rules_are_kept_in_one_form(asked, kept):
    assert firewalls.normalised(rule(**asked)) == rule(**kept)


@pytest.mark.parametrize("asked", [
    {"ethertype": "ipv5"}, {"protocol": "256"}, {"protocol": "nonsense"}, {"remote_cidr": "nonsense"},
    {"remote_cidr": "::/0"}, {"remote_cidr": "10.0.0.0/8", "ethertype": "IPv6"}, {"protocol": "icmpv6"},
    {"protocol": "tcp", "port_min": 1}, {"protocol": "tcp", "port_max": 1}, {"port_min": 1, "port_max": 1},
    {"protocol": "tcp", "port_min": 2, "port_max": 1}, {"protocol": "tcp", "port_min": 1, "port_max": 65536},
    {"protocol": "icmp", "port_max": 0}, {"protocol": "icmp", "port_min": 256}, {"protocol": "gre", "port_min": 1,
                                                                               "port_max": 1}])
def test_what_makes_no_sense_is_refused(asked):
    with pytest.raises(errors.InvalidValue):
        firewalls.normalised(rule(**asked))


def test_a_rule_has_one_kind_of_remote():
    with pytest.raises(errors.ConflictingValues):
        firewalls.normalised(rule(remote_cidr="10.0.0.0/8", remote_group_id="0" * 32))


@pytest.mark.parametrize("protocol, ethertype, word", [
    ("17", "IPv4", "udp"), ("tcp", "IPv4", "tcp"), ("icmp", "IPv6", "icmpv6"), ("ipv6-icmp", "IPv6", "icmpv6"),
    ("sctp", "IPv4", "132"), ("", "IPv4", ""), ("99", "IPv6", "99")])
def test_drivers_hear_one_word_for_each_protocol(protocol, ethertype, word):
    assert firewalls.protocol_word(protocol, ethertype) == word


@pytest.mark.parametrize("other, equal", [
    ({"protocol": "6"}, True), ({"remote_cidr": "0.0.0.0/0"}, True), ({"description": "x"}, True),
    ({"protocol": "udp"}, False), ({"ethertype": "IPv6"}, False), ({"port_max": 23}, False),
    ({"direction": Direction.EGRESS}, False), ({"remote_group_id": "0" * 32}, False)])
def test_rules_that_permit_the_same_are_duplicates(other, equal):
    ssh = {"protocol": "tcp", "port_min": 22, "port_max": 22}
    assert (firewalls.duplicate([], [rule(**ssh), rule(**ssh | other)]) is not None) == equal


def test_a_rule_is_told_in_words():
    assert firewalls.described(rule(protocol="tcp", port_min=80, port_max=90)) == "ingress tcp 80-90 from 0.0.0.0/0"
