"""Arithmetic of prefixes, pools and addresses: pure, no randomness, no state.

``core`` validates what users ask with it, ``store`` picks free addresses with it. Addresses travel as text;
inside a search they are numbers, the integer value of the address.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from stackd import errors
from stackd.model.networks import AddressPool

Prefix = IPv4Network | IPv6Network

MAC_PREFIX = "fa:16:3e"
SLAAC_PREFIX_LENGTH = 64
SMALLEST_WINDOW = 256
_LONGEST = {4: 30, 6: SLAAC_PREFIX_LENGTH}
_NOT_FOR_GUESTS = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
                   "::/8", "fe80::/10", "ff00::/8")
"""This network, loopback, link-local, multicast, reserved; ``::/8`` holds IPv6's loopback and embedded IPv4."""


def prefix(text: str, field: str = "cidr") -> Prefix:
    """The prefix a user wrote, host bits cut off; raises ``InvalidValue`` naming ``field``."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise errors.InvalidValue(field, f"'{text}' is not a prefix such as 10.0.0.0/24.") from None


def subnet_prefix(text: str, ip_version: int) -> Prefix:
    """The prefix of a new subnet; raises ``InvalidValue`` where the cloud could not hand out addresses in it."""
    found = prefix(text)
    if found.version != ip_version:
        raise errors.InvalidValue("cidr", f"'{text}' is not of IP version {ip_version}.")
    if found.version == 6 and found.prefixlen != SLAAC_PREFIX_LENGTH:
        raise errors.InvalidValue("cidr", f"'{text}' must be a /64, for guests find their address by router "
                                          "advertisement.")
    if not 1 <= found.prefixlen <= _LONGEST[found.version]:
        raise errors.InvalidValue("cidr", f"'{text}' must have a length between /1 and /{_LONGEST[found.version]}.")
    if (clash := overlapping(str(found), _NOT_FOR_GUESTS)) is not None:
        raise errors.InvalidValue("cidr", f"'{text}' shares addresses with {clash}, which guests cannot use.")
    return found


def number(address: str, field: str = "ip_address") -> int:
    """The integer value of an address; raises ``InvalidValue`` naming ``field``."""
    try:
        return int(ip_address(address))
    except ValueError:
        raise errors.InvalidValue(field, f"'{address}' is not an IP address.") from None


def text(number: int, ip_version: int = 4) -> str:
    """An address in its one canonical form."""
    family = IPv4Network if ip_version == 4 else IPv6Network
    return str(family((number, 32 if ip_version == 4 else 128)).network_address)


def canonical(address: str, field: str = "ip_address") -> str:
    """An address a user wrote, in canonical form; raises ``InvalidValue``."""
    number(address, field)
    return str(ip_address(address))


def version(address: str) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4


def contains(cidr: str, address: str) -> bool:
    """Whether the address lies in the prefix."""
    return ip_address(address) in ip_network(cidr)


def assignable(cidr: str, address: str) -> bool:
    """Whether a port may have this address of the prefix: not the network's own, nor (IPv4) the broadcast address."""
    if not contains(cidr, address):
        return False
    low, high = _bounds(ip_network(cidr))
    return low <= number(address) <= high


def _bounds(found: Prefix) -> tuple[int, int]:
    # IPv6 has no broadcast address.
    return int(found.network_address) + 1, int(found.broadcast_address) - (found.version == 4)


def first_address(cidr: str) -> str:
    """The gateway a subnet gets when none is asked for."""
    return str(ip_network(cidr).network_address + 1)


def check_gateway(cidr: str, gateway: str) -> None:
    """Raise ``InvalidValue`` unless the gateway is an assignable address of the prefix."""
    if not assignable(cidr, gateway):
        raise errors.InvalidValue("gateway_ip", f"{gateway} is not a host address of {cidr}.")


def default_pools(cidr: str, gateway: str) -> tuple[AddressPool, ...]:
    """Every assignable address but the gateway's, as one or two ranges."""
    found = ip_network(cidr)
    first, last = _bounds(found)
    cut = number(gateway) if gateway else last + 1
    ranges = [(first, min(cut - 1, last)), (max(cut + 1, first), last)] if first <= cut <= last else [(first, last)]
    return tuple(AddressPool(start=text(low, found.version), end=text(high, found.version))
                 for low, high in ranges if low <= high)


def check_pools(cidr: str, gateway: str, pools: Sequence[AddressPool]) -> None:
    """Raise ``InvalidValue`` unless the pools lie in the prefix, in order, apart, and without the gateway."""
    bounds = []
    for pool in pools:
        start, end = number(pool.start, "allocation_pools"), number(pool.end, "allocation_pools")
        if not (assignable(cidr, pool.start) and assignable(cidr, pool.end)) or start > end:
            raise errors.InvalidValue("allocation_pools", f"{pool.start}-{pool.end} is no range of hosts in {cidr}.")
        if gateway and start <= number(gateway) <= end:
            raise errors.InvalidValue("allocation_pools", f"{pool.start}-{pool.end} holds the gateway {gateway}.")
        bounds.append((start, end))
    bounds.sort()
    if any(after[0] <= before[1] for before, after in zip(bounds, bounds[1:], strict=False)):
        raise errors.InvalidValue("allocation_pools", "the ranges overlap.")


def overlapping(cidr: str, others: Iterable[str]) -> str | None:
    """The first of the other prefixes that shares addresses with this one."""
    mine = ip_network(cidr)
    return next((other for other in others if ip_network(other).version == mine.version
                 and mine.overlaps(ip_network(other))), None)


def size(pools: Iterable[AddressPool]) -> int:
    """How many addresses the pools hold."""
    return sum(number(pool.end) - number(pool.start) + 1 for pool in pools)


def in_pools(pools: Iterable[AddressPool], address: str) -> bool:
    """Whether one of the pools holds the address."""
    return any(number(pool.start) <= number(address) <= number(pool.end) for pool in pools)


def windows(pools: Sequence[AddressPool], cursor: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Ranges of numbers to search in turn, from behind the cursor once around; together all of the pools.

    Each is four times as large as the one before, so that a full pool of any size costs few looks.
    """
    bounds = sorted((number(pool.start), number(pool.end)) for pool in pools)
    behind = [(max(low, cursor + 1), high) for low, high in bounds if high > cursor]
    before = [(low, min(high, cursor)) for low, high in bounds if low <= cursor]
    length = max(SMALLEST_WINDOW, 2 * wanted)
    for low, high in behind + before:
        while low <= high:
            end = min(high, low + length - 1)
            yield low, end
            low, length = end + 1, length * 4


def free(low: int, high: int, used: Collection[int], wanted: int) -> list[int]:
    """The first ``wanted`` numbers from ``low`` to ``high`` that are not in use."""
    found: list[int] = []
    for candidate in range(low, high + 1):
        if len(found) == wanted:
            break
        if candidate not in used:
            found.append(candidate)
    return found


def mac_of(id: str) -> str:
    """The hardware address of a port, from the random digits at the end of its id."""
    return f"{MAC_PREFIX}:{id[-6:-4]}:{id[-4:-2]}:{id[-2:]}"


def slaac_address(cidr: str, mac: str) -> str:
    """The address a guest gives itself in a /64 by its hardware address (modified EUI-64, RFC 4291)."""
    octets = [int(part, 16) for part in mac.split(":")]
    interface = bytes([octets[0] ^ 2, octets[1], octets[2], 0xFF, 0xFE, *octets[3:]])
    return text(int(ip_network(cidr).network_address) + int.from_bytes(interface, "big"), 6)


def slices(cidr: str, count: int) -> tuple[str, ...]:
    """``count`` equal parts of a prefix, sixteenths of it where that is enough (a /16 gives /20)."""
    whole = ip_network(cidr)
    bits = max(4, (count - 1).bit_length())
    if whole.prefixlen + bits > _LONGEST[whole.version]:
        bits = (count - 1).bit_length()
    parts = whole.subnets(prefixlen_diff=bits)
    return tuple(str(part) for part, _ in zip(parts, range(count), strict=False))
