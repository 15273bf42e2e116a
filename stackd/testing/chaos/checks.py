"""What must hold of a quiet cloud: its rows, its hosts and what its clients were told agree; nothing is left over.

Each check gives :class:`Violation` values; a cloud has settled when none gives any.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from attrs import field, frozen

from stackd.model.faults import Transition
from stackd.model.instances import GuestState, Instance, InstanceDesired
from stackd.model.networks import PortDesired
from stackd.rules import ownership, phases
from stackd.testing.chaos.rows import Rows
from stackd.testing.chaos.worlds import World

_GUESTS = {InstanceDesired.RUNNING: GuestState.RUNNING, InstanceDesired.STOPPED: GuestState.STOPPED}
_SIZES = ("vcpus", "memory_mib", "disk_gib")


@frozen(order=True)
class Violation:
    """One thing that should not be; ``id`` is what ``stackd explain`` takes, or empty."""

    kind: str
    id: str
    words: str = field(default="")


def consistent(rows: Rows, worlds: Sequence[World]) -> Iterator[Violation]:
    """Everything that does not need to be known from clients."""
    for check in (_owners, _phases, _hosts):
        yield from check(rows)
    yield from (Violation("stray", "", f"{name} on {world.host}") for world in worlds for name in sorted(world.strays))
    for compare in (_guests, _ports, _floating_ips, _groups):
        yield from compare(rows, worlds)


def empty(rows: Rows, worlds: Sequence[World]) -> Iterator[Violation]:
    """A cloud all of whose instances and addresses were given back has nothing of them left."""
    yield from (Violation("instance-left", one.id, f"on {one.host}, {one.desired.value}") for one in
                rows.alive.values())
    yield from (Violation("port-left", port.id, f"on {port.host}") for port in rows.ports)
    yield from (Violation("floating-ip-left", one.id, one.address) for one in rows.floating_ips)
    if rows.addresses:
        yield Violation("addresses-left", "", f"{rows.addresses} fixed addresses are taken")
    for host in rows.hosts:
        used = host.used_vcpus, host.used_memory_mib, host.used_disk_gib, host.instances
        if any(used):
            yield Violation("host-used", host.name, f"uses {used}")
    for world in worlds:
        for kind in ("guests", "ports", "floating_ips", "networks", "groups"):
            yield from (Violation(f"{kind}-on-host", id, f"on {world.host}") for id in getattr(world, kind))


def _owners(rows: Rows) -> Iterator[Violation]:
    waiting = [(one.id, ownership.owner_of_instance(one, rows.ports_of(one.id))) for one in rows.instances.values()]
    waiting += [(port.id, ownership.owner_of_port(port)) for port in rows.ports]
    waiting += [(one.id, ownership.owner_of_floating_ip(one)) for one in rows.floating_ips]
    for id, owner in waiting:
        if owner != ownership.NOBODY:
            yield Violation("unsettled", id, f"waits for {owner}")


def _phases(rows: Rows) -> Iterator[Violation]:
    for one in rows.instances.values():
        held = tuple(port for port in rows.ports_of(one.id) if port.desired is PortDesired.WIRED)
        phase = phases.phase_of(one, phases.all_wired(held))
        if one.phase != phase:
            yield Violation("phase-stale", one.id, f"{one.phase} is stored, {phase} is right")
        if one.fault is None and phase.transition is not Transition.NONE:
            yield Violation("in-transition", one.id, str(phase))
        running = one.desired is InstanceDesired.RUNNING and one.fault is None
        if running and one.observed.reboots != one.reboots:  # a start satisfies those asked of a stopped one
            yield Violation("reboots", one.id, f"{one.observed.reboots} of {one.reboots}")


def _hosts(rows: Rows) -> Iterator[Violation]:
    on: dict[str, list[Instance]] = {}
    for one in rows.alive.values():
        on.setdefault(one.host, []).append(one)
    for host in rows.hosts:
        mine = on.get(host.name, [])
        counted = len(mine), *(sum(getattr(one.flavor, size) for one in mine) for size in _SIZES)
        kept = host.instances, *(getattr(host, f"used_{size}") for size in _SIZES)
        if counted != kept:
            yield Violation("host-counts", host.name, f"{kept} are kept, {counted} are there")
        if not host.alive:
            yield Violation("host-down", host.name)


def _guests(rows: Rows, worlds: Sequence[World]) -> Iterator[Violation]:
    found: dict[str, list[tuple[str, GuestState]]] = {}
    for world in worlds:
        for id, state in world.guests.items():
            found.setdefault(id, []).append((world.host, state))
    for id, places in found.items():
        row = rows.alive.get(id)
        if row is None:
            yield Violation("guest-without-row", id, str(places))
        elif len(places) > 1:
            yield Violation("guest-doubled", id, str(places))
        elif row.host != places[0][0]:
            yield Violation("guest-elsewhere", id, f"{places} for {row.host}")
    for one in rows.alive.values():
        if one.desired is not InstanceDesired.DELETED and one.fault is None \
                and found.get(one.id) != [(one.host, _GUESTS[one.desired])]:
            yield Violation("guest-differs", one.id, f"{found.get(one.id)} for {one.desired.value} on {one.host}")


def _ports(rows: Rows, worlds: Sequence[World]) -> Iterator[Violation]:
    for port in rows.ports:
        if port.desired is PortDesired.DELETED:
            yield Violation("port-leaked", port.id, f"still there, was on {port.host}")
        elif port.device_id and port.device_id not in rows.alive:
            yield Violation("port-outlives", port.id, f"its instance {port.device_id} has ended")
    for one in rows.alive.values():
        held = rows.ports_of(one.id)
        if one.desired is not InstanceDesired.DELETED and (len(held) != 1 or not held[0].fixed_ips):
            yield Violation("ports-of-instance", one.id, f"has ports {[port.id for port in held]}")
    yield from _same("wiring", ((port.id, port.host) for port in rows.ports if port.host),
                     ((id, world.host) for world in worlds for id in world.ports))
    wired = Counter((port.network_id, address) for world in worlds for port in world.ports.values()
                    for address in port.addresses)
    yield from (Violation("address-twice", "", f"{address} on network {network}")
                for (network, address), times in wired.items() if times > 1)


def _floating_ips(rows: Rows, worlds: Sequence[World]) -> Iterator[Violation]:
    yield from (Violation("floating-ip-leaked", one.id, one.address) for one in rows.floating_ips if one.deleted)
    yield from _same("floating-ip", ((one.id, one.host) for one in rows.floating_ips if one.port_id and one.host),
                     ((id, world.host) for world in worlds for id in world.floating_ips))
    led = {id: one.fixed_ip for world in worlds for id, one in world.floating_ips.items()}
    for one in rows.floating_ips:
        if one.id in led and led[one.id] != one.fixed_ip:
            yield Violation("floating-ip-astray", one.id, f"leads to {led[one.id]}, not to {one.fixed_ip}")


def _groups(rows: Rows, worlds: Sequence[World]) -> Iterator[Violation]:
    rules = {group.id: {rule.id for rule in group.rules} for group in rows.groups}
    members: dict[str, set[str]] = {}
    for port in rows.ports:
        for group in port.groups:
            members.setdefault(group.id, set()).update(fixed.address for fixed in port.fixed_ips)
    for world in worlds:
        needed = {id for port in world.ports.values() for id in port.group_ids}
        yield from (Violation("group-missing", id, f"on {world.host}") for id in needed - world.groups.keys())
        for id, wired in world.groups.items():
            kept = {rule.id for rule in wired.rules}
            if kept != rules.get(id):
                yield Violation("group-stale", id, f"{world.host} has the rules {kept}, not {rules.get(id)}")
            for remote, addresses in wired.members.items():
                if set(addresses) != members.get(remote, set()):
                    yield Violation("members-stale", remote, f"{world.host} knows {sorted(addresses)}, there are "
                                                             f"{sorted(members.get(remote, set()))}")


def _same(kind: str, wanted: Iterable[tuple[str, str]], real: Iterable[tuple[str, str]]) -> Iterator[Violation]:
    should, does = Counter(wanted), Counter(real)
    yield from (Violation(f"{kind}-missing", id, f"on {host}") for id, host in sorted((should - does).elements()))
    yield from (Violation(f"{kind}-left", id, f"on {host}") for id, host in sorted((does - should).elements()))
