"""Prefixes, pools and free addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackd import errors
from stackd.model.networks import AddressPool
from stackd.rules import addressing


@pytest.mark.parametrize("cidr, gateway, expected", [
    ("10.0.0.0/29", "10.0.0.1", [("10.0.0.2", "10.0.0.6")]),
    ("10.0.0.0/29", "", [("10.0.0.1", "10.0.0.6")]),
    ("10.0.0.0/29", "10.0.0.3", [("10.0.0.1", "10.0.0.2"), ("10.0.0.4", "10.0.0.6")]),
    ("10.0.0.0/29", "10.0.0.6", [("10.0.0.1", "10.0.0.5")]),
    ("2001:db8::/64", "2001:db8::1", [("2001:db8::2", "2001:db8::ffff:ffff:ffff:ffff")])])
def test_default_pools_leave_the_gateway_out(cidr, gateway, expected):
    assert [(pool.start, pool.end) for pool in addressing.default_pools(cidr, gateway)] == expected


@pytest.mark.parametrize("cidr, count, expected", [
    ("172.31.0.0/16", 2, ("172.31.0.0/20", "172.31.16.0/20")), ("10.0.0.0/28", 2, ("10.0.0.0/29", "10.0.0.8/29"))])
def test_each_zone_gets_an_equal_slice(cidr, count, expected):
    assert addressing.slices(cidr, count) == expected


def test_more_than_sixteen_zones_get_smaller_slices():
    slices = addressing.slices("172.31.0.0/16", 20)
    assert len(set(slices)) == 20
    assert slices[1] == "172.31.8.0/21"


@given(cursor=st.integers(-5, 3000), sizes=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 400)), min_size=1,
                                                    max_size=4), wanted=st.integers(1, 20))
def test_windows_cover_every_address_of_the_pools_once(cursor, sizes, wanted):
    pools, start = [], 0
    for gap, size in sizes:
        start += gap
        pools.append(AddressPool(start=addressing.text(start), end=addressing.text(start + size)))
        start += size + 1
    searched = [number for low, high in addressing.windows(pools, cursor, wanted) for number in range(low, high + 1)]
    assert len(searched) == len(set(searched)) == addressing.size(pools)
    assert all(addressing.in_pools(pools, addressing.text(number)) for number in searched)


def test_the_search_begins_behind_the_cursor_and_wraps():
    pools = [AddressPool(start="0.0.0.1", end="0.0.0.9")]
    assert list(addressing.windows(pools, 4, 1)) == [(5, 9), (1, 4)]


def test_a_full_sixteen_bit_pool_costs_few_looks():
    pools = addressing.default_pools("10.0.0.0/16", "10.0.0.1")
    assert len(list(addressing.windows(pools, 0, 1))) <= 6


def test_used_numbers_are_passed_over():
    assert addressing.free(1, 9, {1, 2, 4}, 3) == [3, 5, 6]
    assert addressing.free(1, 3, {1, 2, 3}, 1) == []


def test_a_guest_makes_its_own_ipv6_address_from_its_hardware_address():
    assert addressing.slaac_address("2001:db8::/64", "fa:16:3e:01:02:03") == "2001:db8::f816:3eff:fe01:203"


@pytest.mark.parametrize("cidr, others, expected", [
    ("10.0.0.0/24", ["10.0.1.0/24"], None), ("10.0.0.0/24", ["10.0.0.0/25"], "10.0.0.0/25"),
    ("10.0.0.0/24", ["2001:db8::/64"], None)])
def test_overlaps_are_found(cidr, others, expected):
    assert addressing.overlapping(cidr, others) == expected


@pytest.mark.parametrize("text, version", [
    ("10.0.0.0/0", 4), ("10.0.0.0/31", 4), ("224.0.0.0/8", 4), ("10.0.0.0/8", 6), ("fe80::/64", 6), ("x", 4),
    ("0.0.0.0/24", 4), ("0.0.0.0/1", 4), ("127.1.0.0/16", 4), ("126.0.0.0/7", 4), ("169.254.169.0/24", 4),
    ("169.0.0.0/8", 4), ("128.0.0.0/1", 4), ("224.0.0.0/3", 4), ("255.255.255.0/24", 4), ("::/64", 6),
    ("0:0:0:1::/64", 6), ("::ffff:0:0/64", 6), ("febf::/64", 6), ("ff02::/64", 6)])
def test_prefixes_without_use_are_refused(text, version):
    with pytest.raises(errors.InvalidValue):
        addressing.subnet_prefix(text, version)


@pytest.mark.parametrize("text, version", [
    ("10.0.0.0/8", 4), ("1.0.0.0/8", 4), ("128.0.0.0/3", 4), ("100.64.0.0/10", 4), ("169.255.0.0/16", 4),
    ("192.168.0.0/24", 4), ("223.255.255.0/24", 4), ("fd00::/64", 6), ("fc00:1::/64", 6), ("2001:db8::/64", 6),
    ("2a00:1450:4001:1::/64", 6)])
def test_ordinary_prefixes_are_taken(text, version):
    assert str(addressing.subnet_prefix(text, version)) == text
