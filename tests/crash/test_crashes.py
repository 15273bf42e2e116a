"""The crash suite: in every scenario every daemon dies at its every call to the outside, before, after and late.

Whatever happens, the cloud settles by itself in the state the user asked for: one guest, no leftovers, every phase
on the way legal.
"""

import os
from collections.abc import Callable
from functools import cache

import pytest
from attrs import evolve, frozen

from stackd.model.groups import Direction, RuleRequest
from stackd.model.instances import GuestState, LaunchRequest, RebootKind
from stackd.testing import brokered, settled
from stackd.testing.cloud import MemoryCloud
from stackd.testing.saboteur import Blow, Moment, Saboteur
from stackd.workers.settings import WorkerSettings

PATIENCE = 240.0
SECOND_LOOK = 70.0
DAEMONS = ("compute@host-1", "network@host-1", "conductor", "scheduler")
WIRERS = ("network@host-1", "network@host-2", "conductor", "scheduler")
"""Who has to do with networks that reach across hosts."""
Step = Callable[[MemoryCloud, str], None]


@frozen
class Scenario:
    """``before`` happens undisturbed; then comes ``action``, and ``then`` is done half a second after it."""

    before: tuple[Step, ...]
    action: Step
    then: Step = lambda cloud, id: None
    daemons: tuple[str, ...] = DAEMONS


def act(verb: str, *arguments: object) -> Step:
    """A use case of instances on the one instance."""
    return lambda cloud, id: cloud.run(getattr(cloud.core.instances, verb)(cloud.caller, [id], *arguments)) and None


def associate(cloud: MemoryCloud, id: str) -> None:
    """Give the instance a new floating address."""
    floating = cloud.run(cloud.core.addresses.allocate(cloud.caller))
    port = cloud.run(cloud.core.instances.get(cloud.caller, id)).ports[0]
    cloud.run(cloud.core.addresses.associate(cloud.caller, floating.id, port.id))


def disassociate(cloud: MemoryCloud, id: str) -> None:
    """Take the instance's floating address away and release it."""
    floating = cloud.run(cloud.core.addresses.list(cloud.caller))[0]
    cloud.run(cloud.core.addresses.disassociate(cloud.caller, floating.id))
    cloud.run(cloud.core.addresses.release(cloud.caller, floating.id))


def open_ssh(cloud: MemoryCloud, id: str) -> None:
    """Let everybody reach port 22 of the default group."""
    group = cloud.run(cloud.core.groups.list(cloud.caller))[0]
    cloud.run(cloud.core.groups.add_rules(cloud.caller, group.id, [
        RuleRequest(direction=Direction.INGRESS, protocol="tcp", port_min=22, port_max=22)]))


def neighbour(cloud: MemoryCloud, id: str) -> None:
    """A second instance on the same network, on the other host."""
    cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name="neighbour", zone="us-east-1b")))


def neighbour_leaves(cloud: MemoryCloud, id: str) -> None:
    """The other instance goes."""
    others = [one.id for one in settled.all_instances(cloud) if one.id != id]
    cloud.run(cloud.core.instances.terminate(cloud.caller, others))


def wake_all(cloud: MemoryCloud, id: str) -> None:
    """Nothing but what the launch itself began."""


def pause(cloud: MemoryCloud, id: str) -> None:
    """The instance's host has no room for what it writes; half a minute later it has."""
    world = cloud.host(cloud.row(id).host).guests
    world.put(evolve(world.look(id), state=GuestState.PAUSED))
    cloud.advance(30)


TERMINATE = act("terminate")
SCENARIOS = {
    "launch": Scenario((), wake_all),
    "launch, then terminate": Scenario((), wake_all, TERMINATE),
    "terminate": Scenario((associate,), TERMINATE),
    "stop": Scenario((), act("stop")),
    "stop, then start": Scenario((), act("stop"), act("start")),
    "start": Scenario((act("stop"),), act("start")),
    "start, then terminate": Scenario((act("stop"),), act("start"), TERMINATE),
    "soft reboot": Scenario((), act("reboot", RebootKind.SOFT)),
    "hard reboot": Scenario((), act("reboot", RebootKind.HARD)),
    "pause": Scenario((), pause, daemons=("compute@host-1",)),
    "associate": Scenario((), associate),
    "disassociate": Scenario((associate,), disassociate),
    "group rules": Scenario((), open_ssh),
    "neighbour": Scenario((), neighbour, daemons=WIRERS),
    "neighbour leaves": Scenario((neighbour,), neighbour_leaves, daemons=WIRERS),
}

GATHERED = 2 if os.environ.get(brokered.VARIABLE) else 0
"""Over a broker real time decides what is gathered into one call: a run may have so many fewer than the first had."""


@cache
def undisturbed(name: str) -> dict[str, list[str]]:
    """What each daemon calls in a scenario when none dies."""
    return play(SCENARIOS[name], None).calls


def play(scenario: Scenario, blow: Blow | None) -> Saboteur:
    """Play a scenario with or without a blow; asserts that the cloud settles as it should."""
    fresh = not scenario.before and scenario.action is wake_all
    hosts = 2 if scenario.daemons is WIRERS else 1
    cloud = MemoryCloud(hosts=hosts, worker_settings=WorkerSettings(second_look=SECOND_LOOK)).start()
    saboteur = cloud.saboteur
    saboteur.blow = blow
    saboteur.counting = fresh
    made = cloud.run(cloud.core.instances.launch(cloud.caller, LaunchRequest(
        image_id=cloud.image.id, flavor_id="t2.nano", name="web", zone="us-east-1a")))
    id = made.instances[0].instance.id
    watch = settled.Watch(cloud, id)
    if not fresh:
        for step in ((lambda *_: None), *scenario.before):
            step(cloud, id)
            settle(cloud, watch)
        saboteur.counting = True
    scenario.action(cloud, id)
    watched(cloud, watch, 0.5)
    scenario.then(cloud, id)
    settle(cloud, watch)
    saboteur.counting = False
    cloud.advance(SECOND_LOOK + 10.0)  # what took effect late is found and undone by the second look
    watch.look()
    settled.check(cloud)
    return saboteur


def watched(cloud: MemoryCloud, watch: settled.Watch, seconds: float) -> None:
    """Let time pass and look all the while."""
    end = cloud.clock.seconds() + seconds
    while cloud.clock.seconds() < end:
        cloud.tick(end)
        watch.look()


def settle(cloud: MemoryCloud, watch: settled.Watch) -> None:
    """Let time pass until nobody has anything to do."""
    deadline = cloud.clock.seconds() + PATIENCE
    while waiting := settled.unsettled(cloud):
        written = cloud.written
        while cloud.written == written:
            assert cloud.clock.seconds() < deadline, waiting
            cloud.tick(deadline)
        watch.look()


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize(("name", "daemon"), [
    (name, daemon) for name, scenario in SCENARIOS.items() for daemon in scenario.daemons])
def test_a_daemon_dies_at_each_of_its_calls(name: str, daemon: str, moment: Moment) -> None:
    calls = undisturbed(name).get(daemon, [])
    missed = [f"{at}, {what}" for at, what in enumerate(calls)
              if not play(SCENARIOS[name], Blow(daemon, at, moment)).struck]
    assert len(missed) <= GATHERED, f"{daemon} never came to its calls {missed}"


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("at", range(4))
def test_a_launch_whose_api_dies_is_made_once_when_tried_again(at: int, moment: Moment) -> None:
    cloud = MemoryCloud(hosts=1).start()
    request = LaunchRequest(image_id=cloud.image.id, flavor_id="t2.nano", name="web", client_token="once",
                            request_hash="same")
    cloud.saboteur.blow = Blow("api", at, moment)
    cloud.saboteur.counting = True
    outcome: list[object] = []
    cloud.ask(cloud.core.instances.launch(cloud.caller, request), outcome)
    cloud.advance(5)
    if not outcome:
        cloud.build("api")
        cloud.run(cloud.core.instances.launch(cloud.caller, request))
    found = settled.all_instances(cloud)
    assert len(found) == 1
    settle(cloud, settled.Watch(cloud, found[0].id))
    settled.check(cloud)
