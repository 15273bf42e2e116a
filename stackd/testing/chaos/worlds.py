"""What the hosts really hold, looked at past all daemons."""

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen
from twisted.internet.task import Clock

from stackd.drivers.hypervisors import fake as hypervisor
from stackd.drivers.networks import fake as network
from stackd.drivers.worldfile import WorldFile
from stackd.model.instances import GuestState
from stackd.model.wirings import FloatingWiring, GroupWiring, PortWiring


@frozen(kw_only=True)
class World:
    """One host at one moment, by ids."""

    host: str
    guests: Mapping[str, GuestState]
    networks: frozenset[str]
    ports: Mapping[str, PortWiring]
    floating_ips: Mapping[str, FloatingWiring]
    groups: Mapping[str, GroupWiring]
    strays: frozenset[str] = frozenset()
    """Names of devices and namespaces of ours that no port or network of this host accounts for."""


def fake_worlds(folder: Path) -> tuple[World, ...]:
    """The fake hosts whose worlds are kept anywhere below a folder."""
    found = {path.parent for name in (hypervisor.FILE, network.FILE) for path in folder.rglob(f"fake/*/{name}")}
    names = sorted({path.name for path in found})
    return tuple(_fake(name, [path for path in found if path.name == name]) for name in names)


def _fake(name: str, folders: list[Path]) -> World:
    """Both workers of a host may have folders of their own."""
    guests: dict[str, GuestState] = {}
    wiring = network.FakeNetworkWorld()
    for folder in folders:
        world = hypervisor.FakeWorld(Clock(), file=WorldFile(folder / hypervisor.FILE))
        world.recall()
        guests |= {id: guest.state for id, guest in world.guests.items()}
        if (folder / network.FILE).exists():
            wiring = network.FakeNetworkWorld(file=WorldFile(folder / network.FILE))
            wiring.recall()
    return World(host=name, guests=guests, networks=frozenset(wiring.networks), ports=wiring.ports,
                 floating_ips=wiring.floating_ips, groups=wiring.groups)
