"""The stock clients, openstacksdk and the ``openstack`` command, against a cloud that is a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
from openstack.exceptions import ConflictException, HttpException

from stackd.testing.ports import free_base
from tests.cloud.running import SECONDS, Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One cloud for all journeys."""
    cloud = Running(tmp_path_factory.mktemp("cloud"), free_base())
    yield cloud
    cloud.kill()


def connect(running: Running, name: str = "stackd", **options: Any) -> Any:
    """The SDK with the settings in ``clouds.yaml``."""
    return openstack.connection.Connection(config=openstack.config.OpenStackConfig(
        config_files=[str(running.state / "clouds.yaml")]).get_one(name, **options))


def ask(running: Running, *words: str, cloud: str = "stackd") -> Any:
    """What the command prints, parsed where it is JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "openstackclient.shell", "--os-cloud", cloud, *words], capture_output=True, text=True,
        timeout=SECONDS, check=False, cwd=running.state, env={"HOME": str(running.state)})
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return json.loads(done.stdout) if "json" in words else done.stdout


def names(rows: list[dict[str, Any]]) -> list[str]:
    """The names in a listing of the command."""
    return [row["Name"] for row in rows]


def test_the_command_makes_a_journey(running: Running) -> None:
    """From a key to a server and back."""
    json_ = ("-f", "json")
    key = ask(running, "keypair", "create", "mine")
    assert key.startswith("-----BEGIN")
    assert names(ask(running, "keypair", "list", *json_)) == ["mine"]
    made = ask(running, "server", "create", "--image", "tiny", "--flavor", "t2.nano", "--key-name", "mine",
               "--property", "a=b", "--wait", *json_, "web")
    assert (made["status"], made["key_name"], made["properties"]) == ("ACTIVE", "mine", {"a": "b"})
    (row,) = ask(running, "server", "list", *json_)
    assert (row["Name"], row["Status"], row["Image"], row["Flavor"]) == ("web", "ACTIVE", "tiny", "t2.nano")
    ask(running, "server", "reboot", "web")
    ask(running, "server", "reboot", "--hard", "--wait", "web")
    assert "ready" in ask(running, "console", "log", "show", "--lines", "3", "web")
    ask(running, "server", "set", "--name", "renamed", "--property", "c=d", "--tag", "x", "web")
    shown = ask(running, "server", "show", *json_, "renamed")
    assert (shown["properties"], shown["tags"]) == ({"a": "b", "c": "d"}, ["x"])
    assert names(ask(running, "server", "list", "--name", "ren", "--tags", "x", *json_)) == ["renamed"]
    ask(running, "server", "lock", "--reason", "mine", "renamed")
    ask(running, "server", "unlock", "renamed")
    ask(running, "server", "stop", "renamed")
    events = ask(running, "server", "event", "list", *json_, "renamed")
    assert {event["Action"] for event in events} == {"create", "reboot", "lock", "unlock", "stop"}
    ask(running, "server", "delete", "--wait", "renamed")
    assert ask(running, "server", "list", *json_) == []
    ask(running, "keypair", "delete", "mine")


def test_the_command_shows_the_cloud(running: Running) -> None:
    """Flavors, zones, limits; hosts to admins."""
    assert "t2.nano" in names(ask(running, "flavor", "list", "-f", "json"))
    assert ask(running, "flavor", "show", "-f", "json", "t2.nano")["ram"] == 512
    zones = ask(running, "availability", "zone", "list", "--compute", "-f", "json")
    assert [zone["Zone Name"] for zone in zones] == ["us-east-1a", "us-east-1b"]
    limits = ask(running, "limits", "show", "--absolute", "-f", "json")
    assert {"Name": "total_cores", "Value": 20} in limits
    hypervisors = ask(running, "hypervisor", "list", "-f", "json", cloud="stackd-admin")
    assert len(hypervisors) == 3 and {one["State"] for one in hypervisors} == {"up"}
    services = ask(running, "compute", "service", "list", "--service", "nova-compute", "-f", "json",
                   cloud="stackd-admin")
    assert len(services) == 3
    ask(running, "compute", "service", "set", "--disable", "--disable-reason", "x", services[0]["Host"],
        "nova-compute", cloud="stackd-admin")
    ask(running, "compute", "service", "set", "--enable", services[0]["Host"], "nova-compute", cloud="stackd-admin")
    assert ask(running, "quota", "show", "--compute", "-f", "json")


@pytest.mark.parametrize("version", [None, "2.1"])
def test_the_sdk_makes_a_journey(running: Running, version: str | None) -> None:
    """At the versions it picks, and at the lowest."""
    cloud = connect(running, **({"compute_default_microversion": version} if version else {}))
    compute = cloud.compute
    key = compute.create_keypair(name="sdk")
    assert key.private_key
    made = compute.create_server(
        name="sdk", image_id=cloud.image.find_image("tiny").id, flavor_id=compute.find_flavor("t2.nano").id,
        key_name="sdk", metadata={"a": "b"}, **({} if version == "2.1" else {"networks": "auto"}))
    server = compute.wait_for_server(made, wait=30, interval=0.2)
    assert (server.status, server.power_state, server.vm_state) == ("ACTIVE", 1, "active")
    assert server.addresses["default"][0]["version"] == 4
    compute.stop_server(server)
    compute.wait_for_server(server, status="SHUTOFF", wait=30, interval=0.2)
    with pytest.raises(ConflictException):
        compute.stop_server(server)
    compute.start_server(server)
    compute.wait_for_server(server, wait=30, interval=0.2)
    compute.reboot_server(server, "HARD")
    compute.wait_for_server(server, wait=30, interval=0.2)
    compute.set_server_metadata(server, c="d")
    assert compute.get_server_metadata(server).metadata == {"a": "b", "c": "d"}
    assert [one.name for one in compute.servers(name="sdk")] == ["sdk"] == [
        one.name for one in compute.servers(details=False, status="ACTIVE")]
    assert len(list(compute.server_interfaces(server))) == 1
    assert {action.action for action in compute.server_actions(server)} >= {"create", "stop", "start", "reboot"}
    compute.delete_server(server)
    compute.wait_for_delete(server, wait=30, interval=0.2)
    compute.delete_keypair("sdk")
    assert compute.find_server("sdk") is None
    cloud.close()


def test_the_sdk_understands_what_is_refused(running: Running) -> None:
    """Types and words."""
    cloud = connect(running)
    with pytest.raises(HttpException, match="Flavor nope could not be found"):
        cloud.compute.create_server(name="x", image_id=cloud.image.find_image("tiny").id, flavor_id="nope",
                                    networks="auto")
    with pytest.raises(HttpException, match="needs the role admin"):
        list(cloud.compute.hypervisors())
    cloud.close()
