"""The broker is killed and loses all its queues while 200 instances are launched: all come up, none of them twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stackd.model.instances import InstanceDesired
from stackd.testing.chaos import checks, promises
from stackd.testing.chaos.clients import Client
from stackd.testing.chaos.run import Options, Run
from stackd.testing.lab.options import SiteOptions
from stackd.testing.lab.site import Site, standing
from stackd.testing.processes import wait_for

CLIENTS, EACH = 8, 25
TOGETHER_WITHIN = 120.0


@pytest.fixture(params=["postgresql", "mariadb"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Every daemon by itself, three fake hosts."""
    with standing(tmp_path / "site", SiteOptions(database=request.param)) as made:
        yield made


def test_launches_survive_a_broker_that_was_wiped(site: Site, tmp_path: Path) -> None:
    run = Run(site, Options(clients=CLIENTS, settles_within=60.0), tmp_path / "chaos.jsonl")
    run.prepare()
    clients = run.clients()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [pool.submit(_launch_all, client) for client in clients]
        assert wait_for(lambda: _accepted(clients) >= CLIENTS * EACH // 4, TOGETHER_WITHIN)
        site.broker.kill()
        site.broker.wipe()
        before = _accepted(clients)
        site.broker.start()
        for each in done:
            each.result(TOGETHER_WITHIN)
    assert before < CLIENTS * EACH, "everything was launched before the broker died"
    settled, violations = run.settle(lambda rows, worlds: [
        *checks.consistent(rows, worlds), *promises.kept(rows, [client.fleet for client in clients])])
    assert settled is not None, violations
    running = [one for one in run.look()[0].alive.values()
               if one.desired is InstanceDesired.RUNNING and one.fault is None]
    assert len(running) == CLIENTS * EACH


def _launch_all(client: Client) -> None:
    """So many instances, half through each API; what did not happen is launched again."""
    client.make_group()
    for number in range(EACH):
        api = "ec2" if number % 2 else "openstack"
        assert wait_for(lambda api=api: client.launch(api).accepted, TOGETHER_WITHIN), "refused, and for no outage"


def _accepted(clients: list[Client]) -> int:
    return sum(launch.accepted for client in clients for launch in client.fleet.launches)
