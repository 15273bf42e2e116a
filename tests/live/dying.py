"""Network workers that die half-way through a change; the next one knows only what is assigned and what stands."""

import subprocess
from pathlib import Path
from typing import Any, Protocol

from stackd import errors
from stackd.drivers.networks.linuxbridge.commands import Commands
from stackd.drivers.networks.linuxbridge.driver import LinuxBridge
from stackd.model.assignments import FloatingAssignment, PortAssignment
from stackd.model.wirings import NetworkWiring, ObservedWiring, WiringChange
from stackd.rules.plans.wiring import AssignedWiring, change_for
from tests.live.plugging import run


class Mortal(Protocol):
    """A host whose drivers may be given other commands."""

    name: str
    state: Path

    def driver(self, commands: Commands | None = None) -> LinuxBridge:
        """A new driver over the same host."""


def assigned(change: WiringChange, *withdrawn: str) -> AssignedWiring:
    """What a worker was told when all of a change is wanted, but for the ids that are to be withdrawn."""
    [network] = change.networks
    return AssignedWiring(
        ports={one.id: PortAssignment(id=one.id, generation=one.generation, network=network,
                                      wiring=None if one.id in withdrawn else one) for one in change.ports},
        floating_ips={one.id: FloatingAssignment(id=one.id, generation=one.generation,
                                                 wiring=None if one.id in withdrawn else one)
                      for one in change.floating_ips},
        groups={one.id: one for one in change.groups})


async def died(host: Mortal, wanted: AssignedWiring, survived: int) -> bool:
    """Bring a host to what is wanted with a driver that dies after so many commands that wire; whether it did."""
    left = [survived]

    def run_some(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the worker died")
        return subprocess.run(*args, **kwargs)

    change = change_for(wanted, await host.driver().observe())
    try:
        await host.driver(Commands(host.name, run_some)).apply(change)
    except errors.TransientFailure:
        return True
    return False


async def recovered(host: Mortal, wanted: AssignedWiring) -> ObservedWiring:
    """What stands when a new worker has applied once what its plan says; its plan says nothing more then."""
    await host.driver().apply(change_for(wanted, await host.driver().observe()))
    observed = await host.driver().observe()
    assert change_for(wanted, observed) == WiringChange()
    return observed


def traces(host: Mortal, network: NetworkWiring) -> list[str]:
    """What tells of a network on a host: links, namespaces, processes, files."""
    shown = [*run(host.name, "ip", "-o", "link").splitlines(), *run("", "ip", "netns", "list").splitlines(),
             *run("", "ps", "-ww", "-eo", "args").splitlines(), *map(str, host.state.rglob("*"))]
    return [line for line in shown if network.id[:11] in line]
