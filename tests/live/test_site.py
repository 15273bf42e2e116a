"""A cloud of separate processes on RabbitMQ and PostgreSQL with fake hosts, asked by stock clients."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stackd.testing.lab.clients import ec2_client, openstack_client
from stackd.testing.lab.options import SiteOptions
from stackd.testing.lab.site import Site, standing
from stackd.testing.processes import wait_for

OPTIONS = SiteOptions(hosts=2, settings={"hosts": {"heartbeat": 1.0}})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Running, and gone at the end."""
    with standing(tmp_path_factory.mktemp("site") / "s", OPTIONS) as made:
        yield made


def test_a_daemon_may_die_between_what_two_apis_ask_for(site: Site) -> None:
    cloud, ec2 = openstack_client(site.credentials), ec2_client(site.credentials, site.ec2_url)
    image = cloud.image.create_image("tiny", data=b"nothing to boot" * 64, disk_format="raw", container_format="bare")
    server = cloud.compute.create_server(name="one", image_id=image.id, networks="auto",
                                         flavor_id=cloud.compute.find_flavor("t2.nano").id)
    site.kill("conductor-1")
    assert not site.alive("conductor-1")
    shown = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=shown, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    site.spawn("conductor-1")
    assert wait_for(lambda: [one.status for one in cloud.compute.servers()] == ["ACTIVE"] * 2, 60.0, 0.3)
    assert {one.hypervisor_hostname for one in openstack_client(site.admin).compute.servers(all_projects=True)} <= {
        "host-1", "host-2"}
    assert {state["State"]["Name"] for group in ec2.describe_instances()["Reservations"]
            for state in group["Instances"]} == {"running"}
    for one in cloud.compute.servers():
        cloud.compute.delete_server(one)
    assert wait_for(lambda: not list(cloud.compute.servers()), 60.0, 0.3)
    assert not cloud.compute.find_server(server.id)


def test_all_of_it_stops_and_is_found_again(site: Site) -> None:
    site.stop()
    assert not any(map(site.alive, site.names)) and not site.broker.pid
    again = Site(site.folder)  # as another process would
    again.prepare()
    again.start()
    assert site.pid("api-1") == again.pid("api-1")
    assert [flavor.name for flavor in openstack_client(again.credentials).compute.flavors()]


def test_nothing_of_a_removed_site_is_left(tmp_path: Path) -> None:
    with standing(tmp_path / "s", SiteOptions(hosts=1, database="mariadb")) as site:
        database = site.server.folder
    assert not site.folder.exists() and not database.exists()
    places = (str(site.folder), str(database))
    assert [one.pid for one in psutil.process_iter(["cmdline"])
            if any(place in word for word in one.info["cmdline"] or () for place in places)] == []


def test_a_daemon_that_cannot_begin_is_told_of_with_its_words(tmp_path: Path) -> None:
    site = Site(tmp_path / "s", SiteOptions(hosts=1))
    try:
        site.prepare()
        site.config("scheduler-1").write_text("[scheduler]\nalgorithm = 7\n")
        with pytest.raises(RuntimeError, match="(?s)scheduler-1 has ended.*scheduler.algorithm = 7"):
            site.start()
    finally:
        site.remove()
