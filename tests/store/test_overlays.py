"""Who takes part in a network, and who hears of it: hosts with tunnels, told by one port each, and only of changes."""

import pytest

from stackd import errors
from stackd.model import kinds
from stackd.model.assignments import Hello
from stackd.model.ids import new_id
from stackd.store import hosts, networks, overlays, ports, wirings
from stackd.testing.projects import Cloud

TUNNELS = {"h1": "10.77.0.1", "h2": "10.77.0.2", "h3": "10.77.0.3"}


@pytest.fixture
def cloud():
    """Three hosts with tunnels, and one without."""
    made = Cloud()
    for name, address in {**TUNNELS, "plain": ""}.items():
        says(made, name, address)
    return made


def says(cloud, host, address):
    """The network worker of a host starts."""
    cloud.write(hosts.hello, Hello(host=host, worker="network", zone="z", tunnel_address=address), {})


def told(cloud, host):
    """The network as a host is told of it now, by any of its ports."""
    ids, _, _ = cloud.read(wirings.all_of_host, host)
    return cloud.read(wirings.port_assignments, host, ids)[0].network


def stamped_ports(cloud):
    """Host -> how many of its ports the last write stamped."""
    return {host: sum(kind == kinds.PORT for kind, _ in rows) for host, rows in cloud.stamped.items()
            if any(kind == kinds.PORT for kind, _ in rows)}


def test_hosts_of_a_network_know_each_other(cloud):
    project = cloud.project()
    for host in ("h1", "h2", "h3"):
        cloud.instance_port(project, host)
    assert told(cloud, "h1").peers == ("10.77.0.2", "10.77.0.3")
    assert told(cloud, "h2").peers == ("10.77.0.1", "10.77.0.3")
    assert told(cloud, "h3").generation == told(cloud, "h1").generation


def test_the_first_port_on_a_host_is_told_to_all_others_once_each(cloud):
    project = cloud.project()
    for _ in range(3):
        cloud.instance_port(project, "h1")
    before = told(cloud, "h1")
    cloud.instance_port(project, "h2")
    assert stamped_ports(cloud) == {"h1": 1, "h2": 1}
    assert told(cloud, "h1").generation > before.generation
    after = told(cloud, "h1")
    cloud.instance_port(project, "h2")
    assert stamped_ports(cloud) == {"h2": 1}, "the second port there is no news to the others"
    assert told(cloud, "h1") == after


def test_the_last_port_that_leaves_is_told_and_those_before_it_are_not(cloud):
    project = cloud.project()
    cloud.instance_port(project, "h1")
    first, last = (cloud.instance_port(project, "h2") for _ in range(2))
    cloud.write(ports.release, [first.device_id])
    assert "h1" not in stamped_ports(cloud) and told(cloud, "h1").peers == ("10.77.0.2",)
    cloud.write(ports.release, [last.device_id])
    assert "h1" in stamped_ports(cloud) and told(cloud, "h1").peers == ()


def test_a_port_its_user_keeps_leaves_its_host_too(cloud):
    project = cloud.project()
    cloud.instance_port(project, "h1")
    kept = cloud.instance_port(project)
    cloud.write(ports.change, kept.id, {"delete_on_termination": False})
    cloud.write(ports.place, {kept.device_id: "h2"})
    assert told(cloud, "h1").peers == ("10.77.0.2",)
    cloud.write(ports.release, [kept.device_id])
    assert "h1" in stamped_ports(cloud) and told(cloud, "h1").peers == ()


def test_a_guest_that_moves_changes_both_ends(cloud):
    project = cloud.project()
    cloud.instance_port(project, "h1")
    moving = cloud.instance_port(project, "h2")
    cloud.write(ports.place, {moving.device_id: "h3"})
    assert told(cloud, "h1").peers == ("10.77.0.3",)
    assert told(cloud, "h3").peers == ("10.77.0.1",)


def test_networks_of_others_are_not_disturbed(cloud):
    ours, theirs = cloud.project(), cloud.project("other")
    cloud.instance_port(theirs, "h1")
    before = told(cloud, "h1")
    cloud.instance_port(ours, "h2")
    assert "h1" not in cloud.stamped and told(cloud, "h1") == before


def test_hosts_without_tunnels_tell_nobody(cloud):
    project = cloud.project()
    cloud.instance_port(project, "h1")
    before = cloud.default_network(project).generation
    cloud.instance_port(project, "plain")
    assert "h1" not in stamped_ports(cloud)
    assert cloud.default_network(project).generation == before
    assert told(cloud, "plain").peers == ("10.77.0.1",), "which it cannot use, and its driver does not"


def test_a_new_tunnel_address_is_told_to_everybody_on_the_hosts_networks(cloud):
    project = cloud.project()
    for host in ("h1", "h2"):
        cloud.instance_port(project, host)
    says(cloud, "h2", "10.77.0.22")
    assert stamped_ports(cloud) == {"h1": 1, "h2": 1}
    assert told(cloud, "h1").peers == ("10.77.0.22",)
    says(cloud, "h2", "10.77.0.22")
    assert stamped_ports(cloud) == {}, "a restart is no news"
    says(cloud, "h2", "")
    assert told(cloud, "h1").peers == () and stamped_ports(cloud) == {"h1": 1, "h2": 1}


def test_what_is_no_address_is_not_handed_on(cloud):
    with pytest.raises(errors.InvalidValue):
        says(cloud, "h1", "10.77.0.1 } accept")
    says(cloud, "h1", "10.77.0.1")


def test_what_the_compute_worker_says_leaves_the_tunnel_alone(cloud):
    cloud.write(hosts.hello, Hello(host="h1", worker="compute", zone="z"), {})
    project = cloud.project()
    for host in ("h1", "h2"):
        cloud.instance_port(project, host)
    assert told(cloud, "h2").peers == ("10.77.0.1",)


def test_one_fetch_gives_each_host_its_own_peers(cloud):
    project = cloud.project()
    ids = {host: [cloud.instance_port(project, host).id for _ in range(2)] for host in TUNNELS}
    answers = cloud.read(wirings.ports_for, list(ids.items()))
    for host, answer in zip(ids, answers, strict=True):
        assert [set(one.network.peers) for one in answer] == [set(TUNNELS.values()) - {TUNNELS[host]}] * 2


def test_it_costs_little_where_there_are_no_tunnels(cloud):
    project = cloud.project()
    port = cloud.instance_port(project)

    def sent(names):
        """Statements of watching a change that is none."""
        def watch(tx):
            count = 0
            execute = tx.execute

            def counting(*arguments):
                nonlocal count
                count += 1
                return execute(*arguments)
            tx.execute = counting
            with overlays.watched(tx, {port.network_id}, names):
                pass
            return count
        return cloud.write(watch)
    assert sent({"plain"}) == 1
    assert sent({new_id()}) == 1
    assert sent({"h1", "plain"}) <= 4


def test_a_change_by_a_user_reaches_every_host_with_its_peers(cloud):
    project = cloud.project()
    for host in ("h1", "h2"):
        cloud.instance_port(project, host)
    cloud.write(networks.raise_generation, cloud.default_network(project).id)
    assert told(cloud, "h1").peers == ("10.77.0.2",)
