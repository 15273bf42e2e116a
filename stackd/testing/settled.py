"""What must hold of a cloud that has settled, however it got there; and which phases may be seen on the way."""

from collections import Counter
from collections.abc import Iterable

from stackd.model.faults import Phase, Steady, Transition
from stackd.model.instances import GuestState, Instance, InstanceDesired, InstanceQuery
from stackd.model.networks import Port
from stackd.model.paging import PageRequest
from stackd.rules import ownership, phases
from stackd.store import addresses, hosts, instances, ports
from stackd.store.ports import PortQuery
from stackd.testing.cloud import MemoryCloud

_GUESTS = {InstanceDesired.RUNNING: GuestState.RUNNING, InstanceDesired.STOPPED: GuestState.STOPPED}


def all_instances(cloud: MemoryCloud) -> list[Instance]:
    """Every instance the database has, ended ones too."""
    page = cloud.run(cloud.database.read(instances.listed, InstanceQuery(ended_since=0.0), None, PageRequest()))
    return [view.instance for view in page]


def unsettled(cloud: MemoryCloud) -> list[str]:
    """Who still has to act on what; empty when everything rests."""
    held = cloud.run(cloud.database.read(ports.find, PortQuery()))
    waiting = [(one.id, ownership.owner_of_instance(one, tuple(port for port in held if port.device_id == one.id)))
               for one in all_instances(cloud)]
    waiting += [(port.id, ownership.owner_of_port(port)) for port in held]
    waiting += [(one.id, ownership.owner_of_floating_ip(one))
                for one in cloud.run(cloud.database.read(addresses.find, None))]
    return [f"{id} waits for {owner}" for id, owner in waiting if owner != ownership.NOBODY]


def check(cloud: MemoryCloud) -> None:
    """Assert that world and database agree, and that nothing is doubled, lost or left over."""
    found = all_instances(cloud)
    _guests(cloud, found)
    _wiring(cloud, found)
    _counts(cloud, found)


def _guests(cloud: MemoryCloud, found: Iterable[Instance]) -> None:
    real = [(id, host.name, guest.state) for host in cloud.hosts for id, guest in host.guests.guests.items()]
    wanted = [(one.id, one.host, _GUESTS[one.desired]) for one in found
              if one.desired is not InstanceDesired.DELETED and one.fault is None]
    assert sorted(real, key=str) == sorted(wanted, key=str), "the guests are not those desired, once each"


def _wiring(cloud: MemoryCloud, found: Iterable[Instance]) -> None:
    held: Iterable[Port] = cloud.run(cloud.database.read(ports.find, PortQuery()))
    alive = {one.id for one in found if one.desired is not InstanceDesired.DELETED}
    assert {port.device_id for port in held} <= alive | {""}, "a port outlived its instance"
    taken = Counter(fixed.address for port in held for fixed in port.fixed_ips)
    assert not [address for address, times in taken.items() if times > 1], "an address is held twice"
    real = [(id, host.name) for host in cloud.hosts for id in host.wiring.ports]
    assert sorted(real) == sorted((port.id, port.host) for port in held if port.host), "wiring and ports differ"
    _tunnels(cloud, held)
    floating = cloud.run(cloud.database.read(addresses.find, None))
    led = [(id, host.name) for host in cloud.hosts for id in host.wiring.floating_ips]
    assert sorted(led) == sorted((one.id, one.host) for one in floating if one.port_id and one.host), \
        "floating addresses are not answered for exactly where their ports are"


def _tunnels(cloud: MemoryCloud, held: Iterable[Port]) -> None:
    """Every host of a network knows the tunnels of all its other hosts, and of nobody else."""
    tunnels = {host.name: host.wiring.tunnel_address for host in cloud.hosts}
    on: dict[str, set[str]] = {}
    for port in held:
        if port.host:
            on.setdefault(port.network_id, set()).add(port.host)
    for network_id, names in on.items():
        for name in names:
            known = cloud.host(name).wiring.networks[network_id].peers
            assert known == tuple(sorted(tunnels[other] for other in names - {name} if tunnels[name])), \
                f"{name} does not know its peers on {network_id}"


def _counts(cloud: MemoryCloud, found: Iterable[Instance]) -> None:
    on = Counter(one.host for one in found if one.ended_at is None and one.host)
    for host in cloud.run(cloud.database.read(hosts.listed, 60.0)):
        assert host.instances == on[host.name], f"{host.name} counts {host.instances}, has {on[host.name]}"
    for one in found:
        assert one.phase is not None
        if one.fault is None:
            assert one.phase.transition is Transition.NONE, f"{one.id} rests in {one.phase}"
            assert one.phase == phases.phase_of(one)


class Watch:
    """Notes each phase of an instance, and refuses those no user should ever see one after the other."""

    def __init__(self, cloud: MemoryCloud, id: str) -> None:
        """Begins with nothing seen."""
        self._cloud = cloud
        self._id = id
        self._written = -1
        self.seen: list[Phase] = []

    def look(self) -> None:
        """Note the phase now; building never comes back, deleted is for ever, and nothing errs."""
        if self._written == self._cloud.written:
            return
        self._written = self._cloud.written
        phase = self._cloud.row(self._id).phase
        assert phase is not None
        if self.seen and self.seen[-1] == phase:
            return
        assert phase.steady is not Steady.ERROR, f"{phase} after {self.seen}"
        if self.seen:
            before = self.seen[-1]
            assert before.steady is not Steady.DELETED, f"{phase} after {self.seen}"
            assert phase.steady is not Steady.BUILDING or before.steady is Steady.BUILDING, f"{phase} after {self.seen}"
        self.seen.append(phase)
